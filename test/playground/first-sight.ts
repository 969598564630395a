// What a friend meets who sees the playground for the first time: by keyboard alone, with texts of other scripts, too long or too short, after a
// reload, and in a browser without room. Each of these was wrong once. Numbers are compared with the library's own.
import { beforeAll, expect, test } from 'vitest';
import { type Checkpoint, inspect } from '../../src/index.js';
import { hashOf, openPlayground, type Page, press, trainToTheEnd } from '../playground-page.js';
import { type Playground, payload, trained } from './set-up.js';

const SETTINGS = 'text=names&dial=0&seed=42';
const percent = (p: number): string => (100 * p < 0.1 ? '< 0.1 %' : `${(100 * p).toFixed(100 * p < 10 ? 1 : 0)} %`);

export function firstSightTests({ isolated, pasteOwn, upload, within }: Playground): void {
  let model: Checkpoint;
  beforeAll(async () => {
    ({ model } = await trained({ seed: 42 }, 0));
  });

  const go = (page: Page, place: string) => page.goto(`${isolated.address}#${place}`);
  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).first();
  async function trainedPage(page: Page, settings = SETTINGS): Promise<void> {
    await openPlayground(page, isolated.address, settings);
    await trainToTheEnd(page);
  }
  async function generate(page: Page): Promise<void> {
    await go(page, 'use/generate');
    await press(page, 'Generate');
    await page.getByRole('button', { name: 'Generate', exact: true }).waitFor();
    await page.locator('.characters').first().waitFor();
  }

  /** What the weights view says of each moment. */
  async function momentsOf(page: Page): Promise<string[]> {
    await page.locator('.weights canvas').waitFor();
    const slider = page.getByRole('slider');
    const said: string[] = [];
    for (let i = 0; i <= Number(await slider.getAttribute('max')); i++) {
      await slider.fill(`${i}`);
      await page.waitForFunction(momentIsShown, i);
      said.push(
        `${await page.locator('.field.grow').textContent()} ${await page.locator('.weights .note').textContent()}`,
      );
    }
    return said;
  }

  test('weights over training time are there after a reload, every moment with its numbers, and play', async () => {
    await within(async (page) => {
      await trainedPage(page);
      await go(page, 'see/weights');
      const before = await momentsOf(page);
      expect(before.length).toBeGreaterThan(10);
      expect(new Set(before).size).toBe(before.length);
      await page.reload();
      await page.waitForFunction(hasMoments, before.length);
      expect(await momentsOf(page)).toEqual(before);
      await press(page, 'Play');
      await page.getByRole('button', { name: 'Stop' }).waitFor();
      await page.getByRole('button', { name: 'Play' }).waitFor();
      await page.getByText(/after step 1,000/).waitFor();
    });
  });

  test('of a large model fewer moments are kept, from the first step to the last', async () => {
    await within(async (page) => {
      await trainedPage(page, `${SETTINGS}&steps=24&nEmbd=64&nLayer=2`);
      const parameters = Number((await page.locator('.facts span').first().textContent())?.replace(/\D/g, ''));
      const fit = Math.floor(2_000_000 / (2 * parameters)); // numbers: 8 MB of weights and gradients
      expect(fit).toBeLessThan(13); // else this would test nothing
      await go(page, 'see/weights');
      const all = await momentsOf(page);
      expect(all).toHaveLength(13);
      await page.reload();
      await page.waitForFunction(hasMoments, fit);
      const kept = await momentsOf(page);
      expect([kept[0], kept.at(-1)]).toEqual([all[0], all.at(-1)]);
      expect(all.filter((said) => kept.includes(said))).toEqual(kept);
    });
  });

  test('attention over training time: as it was before the first step, after a reload too', async () => {
    const { look, tokens } = inspect(model, 'maria', { top: 1 });
    const at = look.length - 1;
    const row = [...look.attention[0].subarray(at * look.length, (at + 1) * look.length)];
    const shares = row.map((share, i) => ({ i, share })).sort((a, b) => b.share - a.share);
    const nameOf = (i: number) => (i === at ? 'itself' : `“${tokens[i].text ?? 'begin'}”`);
    const said = shares.slice(0, 4).map(({ i, share }) => `${nameOf(i)} ${percent(share)}`);
    const last = `“a” looks at ${said.join(', ')}`;
    await within(async (page) => {
      await openPlayground(page, isolated.address, SETTINGS);
      await go(page, 'see/attention');
      const looks = page.locator('.looks');
      await looks.waitFor();
      const first = await looks.textContent();
      await press(page, 'Start');
      await page.locator('.runner').waitFor({ state: 'detached' });
      await page.getByText('Moment: after step 1,000').waitFor();
      await page.waitForFunction(areLooks, last);
      expect(last).not.toBe(first);
      for (const when of ['before', 'after']) {
        if (when === 'after') await page.reload();
        await page.waitForFunction(hasMoments, 13);
        await page.getByRole('slider').fill('0');
        await page.waitForFunction(areLooks, first);
        await press(page, 'Play');
        await page.waitForFunction(areLooks, last);
      }
    });
  });

  test('a browser with room for the run alone says so, and keeps it', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, SETTINGS);
      for (const worker of page.workers()) await worker.evaluate(refuseMoments);
      await trainToTheEnd(page);
      await page.getByText(/not for its weights over training time/).waitFor();
      await page.reload();
      await page.getByText(/is back, at step 1,000/).waitFor();
      await go(page, 'see/weights');
      await page.waitForFunction(hasMoments, 1);
    });
  });

  test('the end of a sample is a token like others: what else could have come, and how likely it was', async () => {
    await within(async (page) => {
      await trainedPage(page);
      await go(page, 'use/generate');
      await page.getByRole('textbox', { name: 'Begins with' }).fill('ma');
      await generate(page);
      const sample = page.locator('.characters').first();
      const tokens = await sample.locator('button').allTextContents();
      expect(tokens.at(-1)).toBe('end');
      await sample.locator('.end').click();
      const text = tokens.slice(0, -1).join('');
      const next = inspect(model, text, { top: model.config.vocabSize }).next.at(-1) ?? [];
      const weights = next.map(({ probability }) => probability ** (1 / 0.8)); // the temperature
      const sum = weights.reduce((a, b) => a + b, 0);
      const end = weights[next.findIndex(({ text: piece }) => piece === null)] / sum;
      const bar = page.locator('.bars li.strong');
      expect(await bar.locator('.bar-name').allTextContents()).toEqual(['end']);
      expect(await bar.locator('.bar-share').textContent()).toBe(percent(end));
      await sample.locator('.given').click();
      await page.getByText('You gave this').waitFor();
    });
  });

  test('logits have the names of their tokens', async () => {
    const { look } = inspect(model, 'maria', { top: 1 });
    const logits = look.stages.find(({ name }) => name === 'logits');
    await within(async (page) => {
      await trainedPage(page);
      await go(page, 'see/path');
      await page.locator('.stage summary').last().click();
      const shown = await page.locator('.stage').last().locator('.numbers span').allTextContents();
      const { pieces } = model.tokenizer;
      const last = (look.length - 1) * pieces.length;
      expect(shown).toEqual(
        pieces.map(
          (piece, id) => `${piece ?? 'end'} ${logits?.values[last + id].toFixed(3).replace(/^-0.000$/, '0.000')}`,
        ),
      );
    });
  });

  test('in a model that chats, every special token has a name of its own', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, 'text=chat&dial=1&steps=20');
      await go(page, 'see/path');
      await page.locator('.stage summary').last().click();
      const names = await page.locator('.stage').last().locator('.numbers b').allTextContents();
      expect(new Set(names).size).toBe(names.length);
      expect(names).toEqual(expect.arrayContaining(['‹you›', '‹model›', '‹end of turn›', 'end']));
    });
  });

  test('whoever uses the keyboard keeps the place, whatever goes away or cannot be pressed any more', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, SETTINGS);
      const enter = async (name: string) => {
        await button(page, name).focus();
        await page.keyboard.press('Enter');
      };
      await enter('One step');
      await button(page, 'Go on').waitFor();
      await page.waitForFunction(hasFocus, 'One step');
      await enter('Reset');
      await button(page, 'Start').waitFor();
      await page.waitForFunction(hasFocus, 'Reset');
      expect(await button(page, 'Reset').isDisabled()).toBe(true);
      await go(page, 'see/attention');
      await enter('Start');
      await page.locator('.runner').waitFor({ state: 'detached' });
      await page.waitForFunction(hasFocus, 'main');
      await go(page, 'train');
      await enter('Train again');
      await page.waitForFunction(hasFocus, 'Train again');
      await go(page, 'keep');
      await upload(page, 'Choose files', payload('holiday.json', '{"photos": 12}'));
      await page.getByText('MG_CKPT_UNKNOWN').waitFor();
      await enter('Close');
      await page.waitForFunction(hasFocus, 'main');
      await page.reload();
      await go(page, 'train');
      await page.getByText(/is back, at step/).waitFor();
      await enter('Close');
      await page.waitForFunction(hasFocus, 'main');
    });
  });

  test('a row of tokens is one stop for Tab; arrow keys choose in it', async () => {
    await within(async (page) => {
      await trainedPage(page);
      await go(page, 'see/next');
      await page.getByText('After “a”, the model expects').waitFor();
      await page.locator('.token[aria-pressed=true]').focus();
      await page.keyboard.press('ArrowLeft');
      await page.getByText('After “i”, the model expects').waitFor();
      await page.keyboard.press('Home');
      await page.getByText('After “begin”, the model expects').waitFor();
      await page.keyboard.press('Tab');
      expect(await page.locator('.tokens button:focus').count()).toBe(0);
      await generate(page);
      await page.locator('.characters button').first().focus();
      await page.keyboard.press('End');
      expect(await page.locator('.bars li.strong .bar-name').textContent()).toBe('end');
    });
  });

  test('text from right to left: samples begin at the right, and sentences keep their order', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, SETTINGS);
      await pasteOwn(page, 'שלום\nאברהם\nשרה\nיצחק\nרבקה\nיעקב\nרחל\nלאה\nיוסף\nמשה\n');
      await hashOf(page);
      await trainToTheEnd(page);
      await generate(page);
      const tokens = page.locator('.characters').first().locator('button');
      const [first, last] = [await tokens.first().boundingBox(), await tokens.last().boundingBox()];
      expect(first?.x).toBeGreaterThan(last?.x ?? Number.NaN);
      await go(page, 'see/attention');
      await page.getByRole('textbox', { name: 'Text to read' }).fill('שלום');
      await page.getByText('“\u2068ם\u2069” looks at').waitFor();
    });
  });

  test('what is too long, unknown or empty is said in a line', async () => {
    await within(async (page) => {
      await trainedPage(page);
      await go(page, 'use/generate');
      const prompt = page.getByRole('textbox', { name: 'Begins with' });
      await prompt.fill('abcdefghij'.repeat(400));
      await page.getByText(/fills the context of 16 tokens/).waitFor();
      await generate(page);
      expect((await page.locator('.characters').first().textContent())?.length).toBeLessThan(60);
      await page.locator('.characters .cut').first().click();
      await page.getByText(/The model did not end it/).waitFor();
      await prompt.fill('a b\u200d');
      await page.getByText('The model does not know space U+200D: left out.').waitFor();
      await prompt.fill(String.fromCodePoint(...Array.from({ length: 40 }, (_, i) => 0x4e00 + i)));
      await page.getByText(/ and 24 more: left out/).waitFor();
      await go(page, 'use/compare');
      expect(await page.getByText('Nothing yet. Press Compare.').count()).toBe(2);
      await go(page, 'see/attention');
      await page.getByRole('textbox', { name: 'Text to read' }).fill('');
      await page.getByText('“begin” looks at').waitFor();
    });
  });

  test('what is trained now is what one looks at, also after a text that could not be used', async () => {
    await within(async (page) => {
      await trainedPage(page);
      await pasteOwn(page, 'a');
      await page.getByText('MG_DATA_TOO_SMALL').waitFor();
      await pasteOwn(page);
      await hashOf(page);
      await trainToTheEnd(page);
      await go(page, 'see/next');
      expect(await page.locator('.model-choice select').inputValue()).toBe('live');
    });
  });
}

interface Element {
  readonly textContent: string;
  readonly id: string;
  readonly value: string;
  getAttribute(name: string): string | null;
}
interface World {
  readonly document: { readonly activeElement: Element; querySelector(selector: string): Element | null };
}

/** Whether this button, or the element of this id, has the focus; runs in the page. */
function hasFocus(name: string): boolean {
  const { activeElement } = (globalThis as unknown as World).document;
  return activeElement.id === name || activeElement.textContent === name;
}

/** Whether the weights can be seen at so many moments; runs in the page. */
function hasMoments(count: number): boolean {
  const slider = (globalThis as unknown as World).document.querySelector('input[type=range]');
  return slider?.getAttribute('max') === `${count - 1}`;
}

/** Whether the page says that the token looks at these; runs there. */
function areLooks(said: string | null): boolean {
  return (globalThis as unknown as World).document.querySelector('.looks')?.textContent === said;
}

/** Whether the weights of this moment are the ones that are painted; runs in the page. */
function momentIsShown(moment: number): boolean {
  return (
    (globalThis as unknown as World).document.querySelector('.weights')?.getAttribute('data-moment') === `${moment}`
  );
}

/** A disk on which only the run has room; runs in the worker. */
function refuseMoments(): void {
  const { IDBObjectStore, DOMException } = globalThis as unknown as {
    IDBObjectStore: { prototype: { put(value: unknown, key: unknown): unknown } };
    DOMException: new (message: string, name: string) => Error;
  };
  const { prototype } = IDBObjectStore;
  const { put } = prototype;
  prototype.put = function (value, key) {
    if (String(key).startsWith('moment')) throw new DOMException('no room', 'QuotaExceededError');
    return put.call(this, value, key);
  };
}
