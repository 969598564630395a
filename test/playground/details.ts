// The playground as a learner meets it: what is to be seen in the first minute, what each view says when it is pointed at, and that nothing
// is lost or said in the words of the command line. Numbers are compared with the library's own.
import { beforeAll, expect, test } from 'vitest';
import { type Checkpoint, createScorer, inspect, parameterTable } from '../../src/index.js';
import { dropFile, openPlayground, type Page, press, stepsDone, trainToTheEnd } from '../playground-page.js';
import { type Playground, trained } from './set-up.js';

const SETTINGS = 'text=names&dial=0&seed=42';
const SCREEN = { viewport: { width: 1280, height: 800 } };
/** Texts that cannot be learned from, each in a way of its own. */
const HOSTILE: readonly (readonly [name: string, text: string | readonly number[], code: string])[] = [
  ['picture.png', [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0], 'MG_DATA_KIND'],
  ['one.txt', 'a', 'MG_DATA_TOO_SMALL'],
  ['empty.txt', '', 'MG_DATA_EMPTY'],
  ['short.txt', [0x63, 0x61, 0x66, 0xe9, 10, 0x61, 10], 'MG_DATA_TOO_SMALL'],
  ['open.csv', 'a,b\n"x,1\n2,3\n', 'MG_DATA_TABLE'],
  ['broken.jsonl', '{"messages":[{"role":"user"\n{]\n', 'MG_CHAT_LINE'],
  ['deep.json', '['.repeat(100_000), 'MG_CKPT_UNKNOWN'],
  ['claims.safetensors', Array.from({ length: 8 }, () => 255), 'MG_CKPT_HEADER_SIZE'],
];

export function detailTests({ isolated, within }: Playground): void {
  let model: Checkpoint;
  beforeAll(async () => {
    ({ model } = await trained({ seed: 42 }, 0));
  });

  const go = (page: Page, place: string) => page.goto(`${isolated.address}#${place}`);
  const alertOf = (page: Page) => page.getByRole('alert').textContent();
  const notesOf = (page: Page) => page.locator('.controls .note').allTextContents();
  async function trainedPage(page: Page, settings = SETTINGS): Promise<void> {
    await openPlayground(page, isolated.address, settings);
    await trainToTheEnd(page);
  }

  test('the curve and the newest samples are on one screen, and the figures stay where they are', async () => {
    const places = async (page: Page) => {
      const boxes = [page.locator('.chart canvas'), page.locator('.samples li').first()].map((one) =>
        one.boundingBox(),
      );
      return (await Promise.all(boxes)).map((box) => (box === null ? Number.NaN : box.y + box.height));
    };
    await within(async (page) => {
      await openPlayground(page, isolated.address, SETTINGS);
      const [before] = [await page.locator('.figures dt').nth(3).boundingBox()];
      await trainToTheEnd(page);
      expect(await page.locator('.figures dt').nth(3).boundingBox()).toEqual(before);
      for (const bottom of await places(page)) expect(bottom).toBeLessThan(800);
      await page.setViewportSize({ width: 1366, height: 680 });
      for (const bottom of await places(page)) expect(bottom).toBeLessThan(680);
      // Negative control: in one column the samples are below.
      await page.setViewportSize({ width: 1000, height: 680 });
      expect(Math.max(...(await places(page)))).toBeGreaterThan(680);
    }, SCREEN);
  });

  test('the curve can be read', async () => {
    await within(async (page) => {
      await trainedPage(page);
      const readout = page.locator('.readout');
      expect(await readout.textContent()).toContain('Point at the curve');
      await page.locator('.u-over').hover({ position: { x: 100, y: 50 } });
      expect(await readout.textContent()).toMatch(/^Step [\d,]+: each step \d\.\d{3}, loss \d\.\d{3}$/);
    });
  });

  test('what cannot be learned from is said in the words of the page, and the model of before stays open', async () => {
    await within(async (page) => {
      await trainedPage(page);
      await go(page, 'see/next');
      await page.locator('.bars li').nth(11).waitFor();
      const shares = await page.locator('.bar-share').allTextContents();
      for (const [name, text, code] of HOSTILE) {
        await page.evaluate(dropFile, { name, bytes: [...(typeof text === 'string' ? Buffer.from(text) : text)] });
        await page.getByText(code).waitFor();
        const said = await alertOf(page);
        expect(said, name).not.toMatch(/ --/);
        expect(said, name).toContain('→');
        await page.getByRole('alert').getByRole('button').click();
      }
      expect(await page.getByRole('button', { name: 'Start' }).isDisabled()).toBe(true);
      await go(page, 'see/next');
      await page.locator('.bars li').nth(11).waitFor();
      expect(await page.locator('.model-choice select').inputValue()).toBe('m1');
      expect(await page.locator('.bar-share').allTextContents()).toEqual(shares);
      expect(await alertOf(page)).toBe('');
    });
  });

  test('another run takes the place of a trained one, which stays open; a run that was not begun does not', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, SETTINGS);
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=8');
      await trainToTheEnd(page);
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=9');
      await page.getByText(/The model before is still open: names, seed 8, step 1,000/).waitFor();
      await go(page, 'keep');
      expect(await page.locator('.opened strong').allTextContents()).toEqual(['names, seed 8, step 1,000']);
      // Training again gives the same model and keeps none; Reset may have been the wrong button.
      await go(page, 'train');
      await press(page, 'One step');
      await page.getByRole('button', { name: 'Go on' }).waitFor();
      await press(page, 'Reset');
      await page.getByRole('button', { name: 'Start' }).waitFor();
      await trainToTheEnd(page);
      await trainToTheEnd(page, 'Train again');
      await go(page, 'keep');
      expect(await page.locator('.opened strong').allTextContents()).toEqual(['names, seed 8, step 1,000']);
      await go(page, 'train');
      await press(page, 'Reset');
      await page.getByText(/The model before is still open: names, seed 9, step 1,000/).waitFor();
    });
  });

  test('warnings come once each, in the words of the page', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address);
      await page.evaluate(dropFile, { name: 'few.txt', bytes: [...Buffer.from('👩‍👩‍👧 hello\n日本語\n🎉🎉\n')] });
      await page.getByText('3 examples').waitFor();
      await trainToTheEnd(page);
      const notes = await notesOf(page);
      expect(notes.filter((note) => /by heart/.test(note))).toHaveLength(1);
      expect(new Set(notes).size).toBe(notes.length);
      expect(notes.join(' ')).not.toMatch(/--/);
    });
  });

  test('one of two windows keeps its run, the other one says so; a reload brings back losses and samples', async () => {
    await within(async (page, context) => {
      await trainedPage(page);
      const samples = await page.locator('.samples li').allTextContents();
      const other = await context.newPage();
      await openPlayground(other, isolated.address);
      expect(await stepsDone(other)).toBe(0);
      await press(other, 'One step');
      await other.getByText(/keeps the run of another window/).waitFor();
      await page.reload();
      await page.getByText(/is back, at step 1,000/).waitFor();
      expect(await page.locator('.samples li').allTextContents()).toEqual(samples);
      await page.getByRole('link', { name: 'Look inside' }).waitFor();
      await go(page, 'keep');
      await press(page, 'Forget it');
      await page.getByText('This run is not kept any more').waitFor();
      await page.reload();
      await go(page, 'train');
      await page.getByRole('button', { name: 'Start' }).waitFor();
      expect(await page.locator('.banner').count()).toBe(0);
    });
  });

  test('a square of attention says who looks at whom, and its row can be chosen', async () => {
    const { look } = inspect(model, 'maria', { top: 1 });
    await within(async (page) => {
      await trainedPage(page);
      await go(page, 'see/attention');
      const map = page.locator('.square canvas');
      await map.waitFor();
      const box = await map.boundingBox();
      const at = (row: number, column: number) => ({
        x: ((column + 0.5) / 6) * (box?.width ?? 0),
        y: ((row + 0.5) / 6) * (box?.height ?? 0),
      });
      await map.hover({ position: at(4, 2) });
      const share = 100 * look.attention[0][4 * look.length + 2];
      const said = share < 0.1 ? '< 0.1' : share.toFixed(share < 10 ? 1 : 0);
      expect(await page.locator('.pointed').textContent()).toBe(`“i” gives “a” ${said} % of its attention.`);
      await map.hover({ position: at(1, 3) });
      expect(await page.locator('.pointed').textContent()).toBe('“m” cannot see “r”: it comes later.');
      await map.click({ position: at(3, 0) });
      expect(await page.locator('.token[aria-pressed=true] span').textContent()).toBe('r');
      expect(await page.locator('.rows .on').textContent()).toBe('r');
    });
  });

  test('the run can be started from where one looks: attention changes while it learns', async () => {
    const { look } = inspect(model, 'maria', { top: 1 });
    const at = look.length - 1;
    const most =
      100 * look.attention[0].subarray(at * look.length, (at + 1) * look.length).reduce((a, b) => Math.max(a, b));
    await within(async (page) => {
      await openPlayground(page, isolated.address, SETTINGS);
      await go(page, 'see/attention');
      const first = page.locator('.looks b').first();
      await first.waitFor();
      const before = await first.textContent();
      expect(await page.locator('.runner').textContent()).toContain('0 % trained');
      await press(page, 'Start');
      await page.locator('.runner').waitFor({ state: 'detached' });
      await page
        .getByText(`${most.toFixed(most < 10 ? 1 : 0)} %`)
        .first()
        .waitFor();
      expect(before).not.toBe(await first.textContent());
    });
  });

  test('a browser without room says that nothing is kept', async () => {
    await within(async (page, context) => {
      await openPlayground(page, isolated.address, SETTINGS);
      const session = await context.newCDPSession(page);
      await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(isolated.address).origin, quotaSize: 1 });
      await press(page, 'One step');
      await page.getByText('This browser keeps nothing of the run').waitFor();
    });
  });

  test('a square of the weights says its number; they play through training time', async () => {
    const { offset } = parameterTable(model.config).byName.get('wte') ?? { offset: Number.NaN };
    await within(async (page) => {
      await trainedPage(page);
      await go(page, 'see/weights');
      const map = page.locator('.weights canvas');
      await map.waitFor();
      await map.hover({ position: { x: 3, y: 3 } });
      const number = model.parameters[offset].toFixed(4);
      await page.getByText(`“a”, column 1: ${number}`).waitFor();
      await press(page, 'Play');
      await page.getByRole('button', { name: 'Stop' }).waitFor();
      await page.getByRole('button', { name: 'Play' }).waitFor();
      await page.getByText(/after step 1,000/).waitFor();
      for (const option of await page.locator('.row select').first().locator('option').all()) {
        await page
          .locator('.row select')
          .first()
          .selectOption((await option.getAttribute('value')) ?? '');
        expect((await page.locator('.panel > .note').nth(1).textContent())?.length).toBeGreaterThan(20);
      }
    });
  });

  test('what was drawn is always among the bars, however unlikely, and all together make 100 %', async () => {
    await within(async (page) => {
      await trainedPage(page, 'text=names&dial=1&seed=42&steps=300');
      await go(page, 'use/generate');
      await page.getByRole('slider').first().fill('1.5');
      await press(page, 'Generate');
      await page.getByRole('button', { name: 'Generate', exact: true }).waitFor();
      const characters = page.locator('.characters button');
      await characters.nth(30).waitFor();
      let unlikely = 0;
      for (let i = 0; i < 30; i++) {
        await characters.nth(i).click();
        const drawn = await page.locator('.bars li.strong .bar-name').allTextContents();
        expect(drawn).toEqual([await characters.nth(i).textContent()]);
        const shares = await page.locator('.bar-share').allTextContents();
        if (shares.length > 12) unlikely++;
        const others = (await page.locator('.others').textContent()) ?? '';
        const all = [...shares, others.split(': ')[1]].map((text) => Number.parseFloat(text.replace('< ', '')));
        expect(Math.abs(all.reduce((a, b) => a + b, 0) - 100)).toBeLessThan(3); // each is rounded
      }
      expect(unlikely).toBeGreaterThan(0); // else this has tested nothing
    });
  });

  test('every step of the scalar lesson is a sentence with its numbers', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, SETTINGS);
      await go(page, 'see/scalar');
      expect(await page.locator('.asked').count()).toBe(0); // the text has no part in it
      const said: (string | null)[] = [];
      for (let i = 0; i < 7; i++) {
        await press(page, 'One step');
        said.push(await page.locator('.sentence').textContent());
      }
      expect(said).toEqual([
        '2.0000 × (-3.0000) = -6.0000',
        '(-6.0000) + 10.0000 = 4.0000',
        'x² of 4.0000 = 16.0000',
        'The gradient of the end is 1: when it grows by a little, it grows by just that.',
        'Back through x²: the + of 4.0000 gets 8.0000 × 1.0000 = 8.0000.',
        'Back through +: the × of -6.0000 gets 1.0000 × 8.0000 = 8.0000; c gets 1.0000 × 8.0000 = 8.0000.',
        'Back through ×: a gets (-3.0000) × 8.0000 = -24.0000; b gets 2.0000 × 8.0000 = 16.0000.',
      ]);
      await page.getByRole('combobox', { name: 'Calculation' }).selectOption('neuron');
      await page.getByRole('textbox', { name: 'Text to read' }).waitFor();
    });
  });

  test('the surprise of every character can be read', async () => {
    const scorer = createScorer(model);
    const [score] = scorer.score(['maria'], { perCharacter: true });
    scorer.close();
    await within(async (page) => {
      await trainedPage(page);
      await go(page, 'use/score');
      await press(page, 'Score');
      await page.locator('.scores summary').first().click();
      const bits = [...(score.characters ?? []), { text: 'end', bits: score.endBits }];
      const shown = await page.locator('.scores li').first().locator('.numbers span').allTextContents();
      expect(shown).toEqual(bits.map(({ text, bits: b }) => `${text} ${b.toFixed(1)}`));
    });
  });

  test('a text longer than the context says that only its end is read', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, SETTINGS);
      await go(page, 'see/next');
      await page.locator('.bars li').first().waitFor();
      expect(await page.getByText('only its end is read').count()).toBe(0);
      await page.getByRole('textbox', { name: 'Text to read' }).fill('abcdefghijklmnopqrstuvwxyz');
      await page.getByText('only its end is read').waitFor();
    });
  });

  test('on a phone: the settings are one press away, and a problem is seen from anywhere', async () => {
    await within(
      async (page) => {
        await openPlayground(page, isolated.address, SETTINGS);
        await page.getByText('Text: Names. How long: Classic.').waitFor();
        await press(page, 'Change');
        const card = await page.locator('.setup .card').first().boundingBox();
        expect(card === null ? -1 : card.y).toBeGreaterThan(0);
        expect(card === null ? 9999 : card.y).toBeLessThan(844);
        await page.evaluate(dropFile, { name: 'empty.txt', bytes: [] });
        await page.getByText('MG_DATA_EMPTY').waitFor();
        await press(page, 'Change');
        const problem = await page.locator('.problem').boundingBox();
        expect(problem === null ? -1 : problem.y).toBeGreaterThanOrEqual(0);
      },
      { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
    );
  });
}
