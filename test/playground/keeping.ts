// What leaves the playground and comes back: files of every format, runs, links, the page itself offline and in one file.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { decodeModel } from '../../src/index.js';
import { microgpt, ROOT, temporaryFolder } from '../cli.js';
import { hashOf, isAtStep, isPastStep, openPlayground, press, stepsDone, trainToTheEnd } from '../playground-page.js';
import { picture } from './pictures.js';
import { CLASSIC, hash, type Playground, payload, QUICK } from './set-up.js';

export function keepingTests({
  generated,
  isolated,
  plain,
  problems,
  save,
  trainAt,
  upload,
  within,
}: Playground): void {
  test('the page and the terminal open what the other saved, and go on with what the other began, to the bit', async () => {
    const cwd = temporaryFolder();
    const straight = await microgpt(['train', 'names', '--run', 'straight', '--steps', '400'], { cwd });
    expect(straight.code, straight.stderr).toBe(0);
    const whole = hash(decodeModel(readFileSync(join(cwd, 'straight/model.safetensors')), 'whole').checkpoint);
    const settings = 'text=names&dial=0&seed=42&steps=400';

    await within(async (page) => {
      // Begun in the terminal, ended here.
      await microgpt(['train', 'names', '--run', 'half', '--steps', '400', '--stop-after', '150'], { cwd });
      const [last] = readdirSync(join(cwd, 'half/checkpoints')).sort().reverse();
      await openPlayground(page, isolated.address, settings);
      await page.goto(`${isolated.address}#keep`);
      await upload(
        page,
        'Choose files',
        payload('names.safetensors', readFileSync(join(cwd, 'half/checkpoints', last))),
      );
      await press(page, 'Go on training');
      await page.getByRole('button', { name: 'Go on', exact: true }).waitFor();
      expect(await stepsDone(page)).toBe(150);
      expect(await trainToTheEnd(page, 'Go on')).toBe(whole);
      await press(page, 'Reset');
      await page.getByRole('button', { name: 'Start' }).waitFor();
      expect(await trainToTheEnd(page)).toBe(whole);

      // Prose, which the terminal cuts by settings of its own.
      const stories = ['train', 'stories', '--steps', '30'];
      await microgpt([...stories, '--run', 'stories'], { cwd });
      await microgpt([...stories, '--run', 'begun', '--stop-after', '10'], { cwd });
      const [begun] = readdirSync(join(cwd, 'begun/checkpoints'));
      await page.goto(`${isolated.address}#keep`);
      await upload(
        page,
        'Choose files',
        payload('stories.safetensors', readFileSync(join(cwd, 'begun/checkpoints', begun))),
      );
      const opened = page.locator('.opened li').nth(1);
      await opened.getByRole('button', { name: 'Go on training' }).click();
      await page.waitForFunction(isAtStep, 10);
      const ended = await trainToTheEnd(page, 'Go on');
      const last30 = readFileSync(join(cwd, 'stories/checkpoints/step-00000030.safetensors'));
      expect(ended).toBe(hash(decodeModel(last30, 'stories').checkpoint));
    });
    await within(async (page) => {
      // Begun here, ended in the terminal.
      await openPlayground(page, isolated.address, `${settings}&pace=200`);
      await press(page, 'Start');
      await page.waitForFunction(isPastStep, 0);
      await press(page, 'Pause');
      await page.getByRole('button', { name: 'Go on' }).waitFor();
      const done = await stepsDone(page);
      expect(done).toBeGreaterThan(0);
      expect(done).toBeLessThan(400);
      const saved = await save(page, 'run');
      writeFileSync(join(cwd, saved.name), readFileSync(saved.path));
      const resumed = await microgpt(['train', '--resume', saved.name], { cwd });
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(resumed.stderr).toContain('goes on in models/names');
      expect(hash(decodeModel(readFileSync(join(cwd, 'models/names/model.safetensors')), 'm').checkpoint)).toBe(whole);
      const again = await microgpt(['train', '--resume', saved.name], { cwd });
      expect(again.code).not.toBe(0); // there is a run in that folder already

      // Every format carries the model to the terminal.
      await page.goto(`${isolated.address}#train`);
      await trainToTheEnd(page, 'Go on');
      const expected = (await generated(page)).slice(0, 3);
      for (const format of ['safetensors', 'nested model.json', 'flat model.json']) {
        const file = await save(page, format);
        writeFileSync(join(cwd, file.name), readFileSync(file.path));
        const flags = ['--samples', '3', '--temperature', '0.8', '--seed', '42'];
        const outcome = await microgpt(['generate', '--model', file.name, ...flags], { cwd });
        expect(outcome.stdout.trim().split('\n'), `${format}: ${outcome.stderr}`).toEqual(expected);
      }
    });
  });

  test('offline after the first visit; and as one file from disk, which is less than 1 MB', async () => {
    await within(async (page, context) => {
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=42');
      await page.evaluate(async () => {
        const { navigator } = globalThis as unknown as { navigator: { serviceWorker: { ready: Promise<unknown> } } };
        await navigator.serviceWorker.ready;
      });
      await page.waitForFunction(isServedByWorker, null);
      await context.setOffline(true);
      await page.reload();
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=42');
      expect(await trainToTheEnd(page)).toBe(CLASSIC);
      await context.setOffline(false);
      // The browser says so when it asks for a newer page in vain.
      expect(problems.filter((text) => !text.includes('net::ERR_'))).toEqual([]);
      problems.length = 0;
    });
    const path = join(ROOT, 'dist/playground/microgpt.html');
    expect(readFileSync(path).length).toBeLessThan(1_000_000);
    await within(async (page) => {
      await openPlayground(page, pathToFileURL(path).href, 'text=names&dial=0&seed=42');
      expect(await trainToTheEnd(page)).toBe(CLASSIC);
    });
  });

  test('the first load is at most 1 MB', async () => {
    const loaded: Promise<number>[] = [];
    await within(async (page) => {
      page.on('response', (response) =>
        loaded.push(
          response.body().then(
            (bytes) => bytes.length,
            () => 0,
          ),
        ),
      );
      await openPlayground(page, plain.address);
      await page.locator('.samples li').first().waitFor();
    });
    const bytes = (await Promise.all(loaded)).reduce((a, b) => a + b, 0);
    console.log(`first load until the first samples: ${bytes} bytes in ${loaded.length} files`);
    expect(bytes).toBeLessThan(1_000_000);
  });

  test('a link carries the settings; two models are compared by the same seed', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=7&steps=300');
      await page.goto(`${isolated.address}#keep`);
      const link = await page.getByRole('textbox', { name: 'Share' }).inputValue();
      await trainAt(page, 'train');
      const seven = await hashOf(page);
      await page.goto(`${isolated.address}#use/compare`);
      await press(page, 'Keep the model as it is now');
      await page.getByText(/Kept as/).waitFor();
      const compare = async () => {
        await press(page, 'Compare');
        await page.waitForFunction(bothAreDrawn, null);
        const texts = await page.locator('.drawn q').allTextContents();
        return [texts.slice(0, 8), texts.slice(8)];
      };
      const [cold, hot] = await compare();
      expect(cold).not.toEqual(hot);
      await page.getByRole('slider').nth(1).fill('0.5');
      const [a, b] = await compare();
      expect([a, b]).toEqual([cold, cold]);

      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=8&steps=300');
      await trainToTheEnd(page);
      await page.goto(`${isolated.address}#use/compare`);
      await page.getByRole('combobox', { name: 'Side A' }).selectOption('m1');
      await page.getByRole('slider').nth(1).fill('0.5');
      const [kept, other] = await compare();
      expect(kept).toEqual(cold);
      expect(other).not.toEqual(cold);

      await page.goto('about:blank');
      await page.goto(link);
      await hashOf(page);
      expect(await trainToTheEnd(page)).toBe(seven);
    });
  });

  test('empty and wrong: before the first step, and a file that is no model', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, QUICK);
      await picture(page, 'train-empty', true);
      await page.goto(`${isolated.address}#keep`);
      await upload(page, 'Choose files', payload('holiday.json', '{"photos": 12}'));
      await page.getByText('MG_CKPT_UNKNOWN').waitFor();
      await picture(page, 'problem', true);

      await openPlayground(page, isolated.address, 'text=names&dial=0&learningRate=1e30');
      await press(page, 'Start');
      await page.getByText('MG_TRAIN_NONFINITE').waitFor();
      await page.getByText(/choose a smaller learning rate under More/).waitFor();
      expect(await page.locator('.onwards').count()).toBe(0);
      await page.goto(`${isolated.address}#train?text=names&dial=0&nEmbd=30`);
      await page.getByText(/nEmbd 30 cannot be shared out among 4 heads/).waitFor();
      await page.getByText(/Nothing to train yet/).waitFor();
      expect(await page.getByRole('button', { name: 'Start' }).isDisabled()).toBe(true);
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=42');
      expect(await trainToTheEnd(page)).toBe(CLASSIC);
    });
  });
}

/** Whether the service worker, which has kept all files by then, answers this page; runs there. */
function isServedByWorker(): boolean {
  const { navigator } = globalThis as unknown as { navigator: { serviceWorker: { controller: unknown } } };
  return navigator.serviceWorker.controller !== null;
}

/** Whether both sides have their eight samples to the end; runs in the page. */
function bothAreDrawn(): boolean {
  interface List {
    getAttribute(name: string): string | null;
    readonly children: { readonly length: number };
  }
  const { document } = globalThis as unknown as { document: { querySelectorAll(selector: string): Iterable<List> } };
  const lists = [...document.querySelectorAll('.drawn')];
  return (
    lists.length === 2 &&
    lists.every((list) => list.getAttribute('aria-busy') === 'false' && list.children.length === 8)
  );
}
