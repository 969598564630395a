// Every view of the playground: its numbers are the library's, it works by keyboard and on a phone, and axe finds nothing wrong.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inspect } from '../../src/index.js';
import { ROOT } from '../cli.js';
import { hashOf, isTooWide, openPlayground, type Page, press, trainToTheEnd } from '../playground-page.js';
import { PICTURES, picture } from './pictures.js';
import { type Playground, QUICK, trained } from './set-up.js';

const DARK = ['train', 'see-attention'];
const PHONE = ['train', 'see-attention', 'use-generate'];

export function viewTests({ isolated, pasteOwn, within }: Playground): void {
  test('a model of conversations chats; others say why they do not', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, 'text=names&dial=0');
      await page.goto(`${isolated.address}#use/chat`);
      await press(page, 'Train on conversations');
      await openPlayground(page, isolated.address, 'text=chat&dial=1&steps=1000');
      await trainToTheEnd(page);
      await page.goto(`${isolated.address}#use/chat`);
      await page.getByRole('textbox', { name: 'Say' }).fill('how are you?');
      await press(page, 'Send');
      await page.getByRole('button', { name: 'Send' }).waitFor();
      expect(await page.locator('.talk li.user p').textContent()).toBe('how are you?');
      expect((await page.locator('.talk li.assistant p').textContent())?.length).toBeGreaterThan(1);
      await picture(page, 'use-chat', true);
    });
  });

  test('the lessons check themselves against the model: not passed before training, passed after it', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=42');
      const checks = page.getByRole('button', { name: 'Check' });
      for (const when of ['before', 'after']) {
        if (when === 'after') {
          await page.goto(`${isolated.address}#train`);
          await trainToTheEnd(page);
        }
        await page.goto(`${isolated.address}#learn`);
        for (let i = 0; i < 4; i++) {
          await checks.nth(i).click();
          await page.waitForFunction(hasOutcome, i);
        }
        // The mask is there from the beginning.
        expect(await page.locator('.outcome.passed').count()).toBeGreaterThanOrEqual(when === 'before' ? 1 : 4);
        if (when === 'before') expect(await page.locator('.outcome.passed').count()).toBeLessThan(4);
      }
    });
  });

  test('what the inside shows are the numbers of the library: next token, attention, a neuron, the scalar lesson', async () => {
    const { model } = await trained({ seed: 42 }, 0);
    const { next, look } = inspect(model, 'maria', { top: 12 });
    const at = look.length - 1;
    await within(async (page) => {
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=42');
      await trainToTheEnd(page);
      await page.goto(`${isolated.address}#see/next`);
      await page.locator('.bars li').nth(11).waitFor();
      const percent = (p: number) => `${(100 * p).toFixed(100 * p < 10 ? 1 : 0)} %`;
      expect(await page.locator('.bar-share').allTextContents()).toEqual(
        next[at].map(({ probability }) => percent(probability)),
      );
      expect(await page.locator('.bar-name').allTextContents()).toEqual(next[at].map(({ text }) => text ?? 'end'));

      await page.goto(`${isolated.address}#see/attention`);
      const row = look.attention[0].subarray(at * look.length, (at + 1) * look.length);
      const most = row.reduce((a, b) => Math.max(a, b));
      expect(await page.locator('.looks b').first().textContent()).toBe(percent(most));

      await page.goto(`${isolated.address}#see/scalar`);
      const graph = page.getByRole('img', { name: /a: value/ });
      await press(page, 'To the end');
      // y = (2·(−3) + 10)² = 16, dy/da = 2·4·(−3), dy/db = 2·4·2, dy/dc = 2·4
      expect(await graph.getAttribute('aria-label')).toContain(
        'a: value 2.0000, gradient -24.0000; b: value -3.0000, gradient 16.0000; c: value 10.0000, gradient 8.0000',
      );
      await page.getByRole('combobox', { name: 'Calculation' }).selectOption('neuron');
      await page.getByText(/Hidden unit/).waitFor();
      await press(page, 'To the end');
      const bent = look.stages.find(({ name }) => name === 'bent');
      const answers = bent?.values.subarray(at * bent.width, (at + 1) * bent.width) ?? [];
      const shown = await page.getByRole('img', { name: /relu: value/ }).getAttribute('aria-label');
      expect(shown).toContain(`relu: value ${Math.max(...answers).toFixed(4)}`);
    });
  });

  test('by keyboard alone: train, look, read a word, close it', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=42');
      const focused = () =>
        page.evaluate(() => {
          const { document } = globalThis as unknown as { document: { activeElement: { textContent: string } } };
          return document.activeElement.textContent;
        });
      const tabTo = async (text: string) => {
        for (let i = 0; i < 60; i++) {
          await page.keyboard.press('Tab');
          if ((await focused()) === text) return;
        }
        throw new Error(`Tab never came to ${text}`);
      };
      await tabTo('Skip to the content');
      await page.keyboard.press('Enter');
      await tabTo('Start');
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Train again' }).waitFor();
      await tabTo('Guessing (ln V)');
      await page.keyboard.press('Enter');
      await page.getByRole('dialog', { name: 'Guessing (ln V)' }).waitFor();
      expect(await focused()).toBe('Close');
      await page.keyboard.press('Escape');
      await page.waitForFunction(isFocused, 'Guessing (ln V)');
    });
  });

  /** Every view as it looks with something in it. */
  const VIEWS: readonly (readonly [name: string, place: string, fill: (page: Page) => Promise<unknown>])[] = [
    ['train', 'train', async () => {}],
    [
      'train-more',
      'train',
      async (page) => {
        await page.getByText('More').first().click();
        await press(page, 'Loss');
        await page.getByRole('dialog', { name: 'Loss' }).waitFor();
      },
    ],
    ['see-next', 'see/next', (page) => page.locator('.bars li').first().waitFor()],
    ['see-attention', 'see/attention', (page) => page.locator('.map').first().waitFor()],
    ['see-path', 'see/path', (page) => page.locator('.stage').first().waitFor()],
    ['see-weights', 'see/weights', (page) => page.locator('.weights canvas').waitFor()],
    [
      'see-scalar',
      'see/scalar',
      async (page) => {
        await page.getByRole('combobox', { name: 'Calculation' }).selectOption('neuron');
        await page.getByText(/Hidden unit/).waitFor();
        for (let i = 0; i < 11; i++) await press(page, 'One step');
      },
    ],
    [
      'use-generate',
      'use/generate',
      async (page) => {
        await press(page, 'Generate');
        await page.locator('.characters button').nth(30).waitFor();
        await page.waitForTimeout(200);
        await page.locator('.characters button').nth(2).click();
      },
    ],
    ['use-chat-none', 'use/chat', async () => {}],
    [
      'use-score',
      'use/score',
      async (page) => {
        await press(page, 'Score');
        await page.locator('.scores li').first().waitFor();
      },
    ],
    [
      'use-compare',
      'use/compare',
      async (page) => {
        await press(page, 'Compare');
        await page.locator('.drawn li').nth(15).waitFor();
      },
    ],
    ['keep', 'keep', async () => {}],
    [
      'learn',
      'learn',
      async (page) => {
        await page.getByRole('button', { name: 'Check' }).first().click();
        await page.locator('.outcome.passed').first().waitFor();
      },
    ],
    [
      'train-own',
      'train',
      async (page) => {
        await pasteOwn(page);
        await hashOf(page);
      },
    ],
  ];

  /** All views one after the other, of a model that has been trained. */
  async function everyView(page: Page, see: (name: string) => Promise<void>): Promise<void> {
    await openPlayground(page, isolated.address, PICTURES ? 'text=names&dial=1&seed=42' : QUICK);
    await trainToTheEnd(page);
    for (const [name, place, fill] of VIEWS) {
      await page.goto(`${isolated.address}#${place}`);
      await fill(page);
      await page.waitForTimeout(250);
      await see(name);
    }
  }

  test.each(['light', 'dark'] as const)(
    'axe finds no violations in any view, %s',
    async (colorScheme) => {
      await within(
        async (page) => {
          await everyView(page, async (name) => {
            if (!(await hasAxe(page)))
              await page.addScriptTag({ path: join(ROOT, 'test/full/node_modules/axe-core/axe.min.js') });
            expect(await violations(page), name).toEqual([]);
            await picture(
              page,
              colorScheme === 'light' ? name : `dark-${name}`,
              colorScheme === 'light' || DARK.includes(name),
            );
          });
          await page.evaluate(addFault);
          expect((await violations(page)).map(({ id }) => id)).toContain('button-name');
        },
        { bypassCSP: true, colorScheme, reducedMotion: 'reduce' },
      );
    },
    180_000,
  );

  test('a phone: every view fits', async () => {
    await within(
      async (page) => {
        await everyView(page, async (name) => {
          expect(await page.evaluate(isTooWide), `${name} is wider than the screen`).toBe(false);
          await picture(page, `phone-${name}`, PHONE.includes(name));
        });
        await page.evaluate(addFault);
        expect(await page.evaluate(isTooWide)).toBe(true);
      },
      { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1, isMobile: true, hasTouch: true },
    );
  }, 180_000);
}

/** A button without a name, wider than any screen: what the checks must not miss. Runs in the page. */
function addFault(): void {
  const { document } = globalThis as unknown as {
    document: { body: { insertAdjacentHTML(where: string, html: string): void } };
  };
  document.body.insertAdjacentHTML('beforeend', '<button type="button" style="width: 5000px"></button>');
}

interface Axe {
  readonly axe?: {
    run(): Promise<{ violations: { id: string; nodes: { target: unknown; failureSummary?: string }[] }[] }>;
  };
}

const hasAxe = (page: Page) => page.evaluate(() => (globalThis as unknown as Axe).axe !== undefined);

const violations = (page: Page) =>
  page.evaluate(async () => {
    const found = await (globalThis as unknown as Required<Axe>).axe.run();
    return found.violations.map(({ id, nodes }) => ({
      id,
      where: nodes.map(({ target, failureSummary }) => `${target}: ${failureSummary}`),
    }));
  });

/** Whether the check of lesson i has said something; runs in the page. */
function hasOutcome(i: number): boolean {
  const { document } = globalThis as unknown as {
    document: { querySelectorAll(selector: string): ArrayLike<{ readonly textContent: string }> };
  };
  return (document.querySelectorAll('.outcome')[i]?.textContent ?? '') !== '';
}

/** Whether what has the focus says this; runs in the page. */
function isFocused(text: string): boolean {
  const { document } = globalThis as unknown as { document: { activeElement: { textContent: string } } };
  return document.activeElement.textContent === text;
}
