// The playground in Chromium, used as a person would, every number compared with the library's or the terminal's own.
// With MICROGPT_SCREENSHOTS=1 it also renews the pictures in docs/playground/. Without a browser it is skipped and says so.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Checkpoint,
  corpusFromText,
  createTraining,
  decodeModel,
  generate,
  inspect,
  type TrainingOptions,
} from '../src/index.js';
import { PLAYGROUND_HEADERS, type StaticFile } from '../src/node/playground.js';
import { createServer } from '../src/server/index.js';
import { chromium, launchChromium, WHY_NO_BROWSER } from './chromium.js';
import { microgpt, ROOT, temporaryFolder } from './cli.js';
import { FULL } from './golden.js';
import { builtPlayground } from './playground-built.js';
import {
  type Browser,
  type Context,
  type FilePayload,
  hashOf,
  isAtStep,
  isTooWide,
  openPlayground,
  type Page,
  press,
  serveIsolated,
  servePlain,
  stepsDone,
  trainToTheEnd,
} from './playground-page.js';

const NAMES = join(ROOT, 'datasets/names.txt');
/** sha256 of the weights, as f32, of `microgpt train names`. */
const CLASSIC = '918235a223f811ad1c5438fc1126902394d7f64ee45bb1dce4489f37a3f4b25f';
const PICTURES = process.env['MICROGPT_SCREENSHOTS'] === '1';
/** Long enough to pause it, and to look into it while it trains. */
const STEPS = 600;
const QUICK = `text=names&dial=1&seed=42&steps=${STEPS}`;

const hash = ({ parameters }: Checkpoint) =>
  createHash('sha256')
    .update(new Uint8Array(Float32Array.from(parameters).buffer))
    .digest('hex');
const payload = (name: string, text: string | Buffer): FilePayload => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(text),
});

/** What the library makes of the same settings, here. */
async function trained(options: Omit<TrainingOptions, 'corpus'>, heldOut: number) {
  const corpus = corpusFromText(readFileSync(NAMES), { format: 'lines', source: 'names.txt', heldOut });
  const training = createTraining({ corpus, ...options });
  for await (const _ of training.events()) {
    // the end is what counts
  }
  const result = { model: training.checkpoint(), peek: training.peek(5) };
  training.close();
  return result;
}

const quick = (steps = STEPS) => trained({ recipe: 'standard', seconds: 2, seed: 42, steps }, 0.1);

describe.runIf(FULL)('the playground', () => {
  if (chromium === undefined) {
    if (process.env['CI'] !== 'true') test.skip(`all of it (skipped: ${WHY_NO_BROWSER})`, () => {});
    else
      test('all of it', () => {
        throw new Error(WHY_NO_BROWSER);
      });
    return;
  }

  let browser: Browser;
  let files: ReadonlyMap<string, StaticFile>;
  let isolated: Awaited<ReturnType<typeof serveIsolated>>;
  let plain: Awaited<ReturnType<typeof servePlain>>;
  const problems: string[] = [];

  beforeAll(async () => {
    files = await builtPlayground();
    isolated = await serveIsolated(files);
    plain = await servePlain(files, '/some/where/');
    browser = await launchChromium<Browser>(['--enable-blink-features=ForceEagerMeasureMemory']);
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await isolated?.close();
    plain?.close();
  });

  /** A page in a browser that has kept nothing; what goes wrong in it fails the test. */
  async function within<T>(use: (page: Page, context: Context) => Promise<T>, options: object = {}): Promise<T> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    problems.length = 0;
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    try {
      const result = await use(page, context);
      expect(problems).toEqual([]);
      return result;
    } finally {
      await context.close();
    }
  }

  const upload = async (page: Page, button: string, ...payloads: FilePayload[]) =>
    page.locator(`input[type=file][aria-label="${button}"]`).setInputFiles(payloads);

  async function trainAt(page: Page, place: string): Promise<string> {
    await page.goto(`${isolated.address}#${place}`);
    return trainToTheEnd(page);
  }

  async function save(page: Page, format: string): Promise<{ readonly name: string; readonly path: string }> {
    await page.goto(`${isolated.address}#keep`);
    await page.getByRole('combobox', { name: 'Format' }).selectOption(format);
    const [download] = await Promise.all([page.waitForEvent('download'), press(page, 'Save the file')]);
    return { name: download.suggestedFilename(), path: await download.path() };
  }

  async function generated(page: Page): Promise<string[]> {
    await page.goto(`${isolated.address}#use/generate`);
    await press(page, 'Generate');
    await page.getByRole('button', { name: 'Generate', exact: true }).waitFor();
    await page.waitForTimeout(300);
    const lines = await page.locator('.drawn .characters').allTextContents();
    return lines.map((line) => line.replace(/the end$/, ''));
  }

  test('microgpt playground serves it until Ctrl-C, and says when a port is in use', async () => {
    const cwd = temporaryFolder();
    const child = spawn(process.execPath, [join(ROOT, 'bin/microgpt.js'), 'playground', '--port', '0'], { cwd });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const address = await new Promise<string>((resolve) =>
      child.stdout.setEncoding('utf8').on('data', (text: string) => resolve(text.trim())),
    );
    const page = await fetch(address);
    expect([page.status, page.headers.get('cross-origin-embedder-policy')]).toEqual([200, 'require-corp']);
    const second = await microgpt(['playground', '--port', new URL(address).port], { cwd });
    expect(second.code).toBe(2);
    expect(second.stderr).toContain('is in use');
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  });

  test('the classic names: under 2 s to the weights of the terminal, and its names', async () => {
    const { model, peek } = await trained({ seed: 42 }, 0);
    expect(hash(model)).toBe(CLASSIC);
    await within(async (page) => {
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=42');
      let best = Number.POSITIVE_INFINITY; // other work on this machine may slow down one of them
      for (const button of ['Start', 'Train again', 'Train again']) {
        const started = performance.now();
        expect(await trainToTheEnd(page, button)).toBe(CLASSIC);
        best = Math.min(best, performance.now() - started);
      }
      expect(best).toBeLessThan(2000);
      const last = page.locator('.samples li').first();
      expect(await last.locator('q').allTextContents()).toEqual(peek);
      expect(await generated(page)).toEqual(generate(model, { samples: 10, temperature: 0.8, seed: 42 }));
    });
  });

  test('pause, one step, go on, reset: the same seed gives the same weights', async () => {
    const { model } = await quick();
    await within(async (page) => {
      await openPlayground(page, isolated.address, QUICK);
      const fresh = await hashOf(page);
      await press(page, 'One step');
      await page.getByRole('button', { name: 'Go on' }).waitFor();
      expect(await stepsDone(page)).toBe(1);
      expect(await hashOf(page)).not.toBe(fresh);
      await press(page, 'Go on');
      await page.waitForTimeout(300);
      await press(page, 'Pause');
      await page.getByRole('button', { name: 'Go on' }).waitFor();
      const paused = await stepsDone(page);
      await page.waitForTimeout(300);
      expect(await stepsDone(page)).toBe(paused);
      expect(await trainToTheEnd(page, 'Go on')).toBe(hash(model));
      await press(page, 'Reset');
      await page.getByRole('button', { name: 'Start' }).waitFor();
      expect(await hashOf(page)).toBe(fresh);
      await openPlayground(page, isolated.address, 'text=names&dial=1&seed=7&steps=600');
      await page.waitForFunction(
        (before: string) =>
          (
            globalThis as unknown as {
              document: { querySelector(s: string): { getAttribute(n: string): string | null } };
            }
          ).document
            .querySelector('[data-hash]')
            .getAttribute('data-hash') !== before,
        fresh,
      );
    });
  });

  test('looking inside while it trains changes nothing', async () => {
    const { model } = await quick();
    await within(async (page) => {
      await openPlayground(page, isolated.address, `${QUICK}&pace=300`);
      await press(page, 'Start');
      for (const part of ['see/attention', 'see/path', 'see/weights', 'use/generate', 'train']) {
        await page.goto(`${isolated.address}#${part}`);
        if (part === 'use/generate') await press(page, 'Generate');
        await page.waitForTimeout(300);
      }
      await page.getByRole('button', { name: 'Train again' }).waitFor({ timeout: 60_000 });
      expect(await hashOf(page)).toBe(hash(model));
    });
  });

  test('own text: pasted, from a csv, from conversations; what cannot be used is said with the way out', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address);
      await page.locator('input[name=corpus]').nth(3).check();
      await page
        .getByRole('textbox', { name: 'Your text' })
        .fill('rex\nbella\nmilo\nluna\nrocky\nbruno\nnala\nsimba\n');
      await press(page, 'Use this text');
      await page.getByText('pasted.txt').waitFor();
      await hashOf(page);
      await press(page, 'One step');
      await page.getByRole('button', { name: 'Go on' }).waitFor();

      const rows = ['animal,sound', ...'dog,woof cat,meow cow,moo duck,quack frog,ribbit lion,roar'.split(' ')].join(
        '\n',
      );
      await upload(page, 'Choose a file', payload('farm.csv', rows));
      await page.getByRole('textbox', { name: /Column/ }).fill('sound');
      await page.keyboard.press('Tab');
      await page.getByText('6 examples').waitFor();

      await page.evaluate(dropText, 'hexagon\nheptagon\noctagon\npentagon\n');
      await page.getByText('dropped.txt').waitFor();
      await page.getByText('4 examples').waitFor();

      await upload(page, 'Choose a file', payload('talk.jsonl', readFileSync(join(ROOT, 'datasets/chat.jsonl'))));
      await page.getByText(/a conversation in JSON/).waitFor();

      await upload(page, 'Choose a file', payload('paper.txt', '%PDF-1.7\n%âãÏÓ\n1 0 obj\n'));
      await page.getByText('MG_DATA_KIND').waitFor();
      await page.goto(`${isolated.address}#keep`);
      await upload(page, 'Choose files', payload('model.safetensors', Buffer.alloc(64, 7)));
      await page.getByText('MG_CKPT_UNKNOWN').waitFor();
    });
  });

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
      await page.waitForTimeout(500);
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

  test('without cross-origin isolation: the same weights, and it says that there is one thread', async () => {
    await within(async (page) => {
      await openPlayground(page, plain.address, 'text=names&dial=0&seed=42');
      await page.getByText(/without the headers for cross-origin isolation/).waitFor();
      expect(await trainToTheEnd(page)).toBe(CLASSIC);
    });
    await within(async (page) => {
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=42');
      await page.getByText(/threads for large models/).waitFor();
    });
  });

  test('below the server of models: the same page, with threads', async () => {
    const { model } = await trained({ seed: 42, steps: 1 }, 0);
    const server = createServer({ models: { names: model }, playground: { files, headers: PLAYGROUND_HEADERS } });
    try {
      const { url } = await server.listen(0);
      await within(async (page) => {
        await openPlayground(page, `${url}/playground`, 'text=names&dial=0&seed=42');
        await page.getByText(/threads for large models/).waitFor();
        expect(await trainToTheEnd(page)).toBe(CLASSIC);
      });
    } finally {
      await server.close();
    }
  });

  test('a reload in the middle of training: it goes on to the same weights', async () => {
    const { model } = await quick(1000);
    await within(async (page) => {
      await openPlayground(page, isolated.address, `${QUICK.replace(`${STEPS}`, '1000')}&pace=200`);
      await press(page, 'Start');
      await page.waitForTimeout(3200);
      await page.reload();
      await page.getByText(/is back, at step/).waitFor();
      const step = await stepsDone(page);
      expect(step).toBeGreaterThan(0);
      expect(step).toBeLessThan(1000);
      expect(await trainToTheEnd(page, 'Go on')).toBe(hash(model));
    });
  });

  test('offline after the first visit; and as one file from disk, which is less than 1 MB', async () => {
    await within(async (page, context) => {
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=42');
      await page.evaluate(async () => {
        const { navigator } = globalThis as unknown as { navigator: { serviceWorker: { ready: Promise<unknown> } } };
        await navigator.serviceWorker.ready;
      });
      await page.waitForTimeout(500);
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

  test('20 runs take no more memory than the first few', async () => {
    await within(async (page) => {
      await openPlayground(page, isolated.address, 'text=names&dial=0&seed=42');
      const bytes = () =>
        page.evaluate(async () => {
          const { performance } = globalThis as unknown as {
            performance: { measureUserAgentSpecificMemory(): Promise<{ bytes: number }> };
          };
          return (await performance.measureUserAgentSpecificMemory()).bytes;
        });
      const sizes: number[] = [];
      for (let run = 0; run < 20; run++) {
        expect(await trainToTheEnd(page, run === 0 ? 'Start' : 'Train again')).toBe(CLASSIC);
        if (run === 0) await page.waitForTimeout(200);
        if (run === 4 || run === 19) sizes.push(await bytes());
      }
      console.log(`memory after 5 runs ${sizes[0]} bytes, after 20 runs ${sizes[1]}`);
      const most = sizes[0] * 1.15 + 2e6;
      expect(sizes[1]).toBeLessThan(most);
      // A leak of 300 KB a run would have been seen.
      await page.evaluate(() => {
        (globalThis as { leak?: unknown }).leak = Array.from({ length: 15 }, () => new Float64Array(37_500).fill(1));
      });
      expect(await bytes()).toBeGreaterThan(most);
    });
  }, 180_000);

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
          await page.waitForTimeout(400);
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
        await page.locator('.drawn li').nth(15).waitFor();
        await page.waitForTimeout(300);
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
      await page.waitForTimeout(50);
      expect(await focused()).toBe('Guessing (ln V)');
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
        await page.locator('input[name=corpus]').nth(3).check();
        await page
          .getByRole('textbox', { name: 'Your text' })
          .fill('rex\nbella\nmilo\nluna\nrocky\nbruno\nnala\nsimba\n');
        await press(page, 'Use this text');
        await page.getByText('pasted.txt').waitFor();
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
});

/** A button without a name, wider than any screen: what the checks must not miss. Runs in the page. */
function addFault(): void {
  const { document } = globalThis as unknown as {
    document: { body: { insertAdjacentHTML(where: string, html: string): void } };
  };
  document.body.insertAdjacentHTML('beforeend', '<button type="button" style="width: 5000px"></button>');
}

/** What a browser does when a file is dropped on the page; runs there. */
function dropText(text: string): void {
  const { DataTransfer, DragEvent, document } = globalThis as unknown as {
    DataTransfer: new () => { items: { add(file: File): void } };
    DragEvent: new (type: string, options: object) => Event;
    document: { body: EventTarget };
  };
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([text], 'dropped.txt'));
  for (const type of ['dragover', 'drop']) {
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }
}

const DARK = ['train', 'see-attention'];
const PHONE = ['train', 'see-attention', 'use-generate'];
const FOLDER = join(ROOT, 'docs/playground');

/** As WebP, which playwright does not make: a canvas in an empty page does. */
async function picture(page: Page, name: string, wanted: boolean): Promise<void> {
  if (!PICTURES || !wanted) return;
  if (!existsSync(FOLDER)) mkdirSync(FOLDER);
  const png = await page.screenshot({ fullPage: true });
  const webp = await page.evaluate(asWebp, png.toString('base64'));
  writeFileSync(join(FOLDER, `${name}.webp`), Buffer.from(webp, 'base64'));
}

async function asWebp(png: string): Promise<string> {
  interface Canvas {
    getContext(kind: '2d'): { drawImage(image: object, x: number, y: number): void };
    convertToBlob(options: object): Promise<Blob>;
  }
  const { createImageBitmap, OffscreenCanvas } = globalThis as unknown as {
    createImageBitmap(blob: Blob): Promise<{ readonly width: number; readonly height: number }>;
    OffscreenCanvas: new (width: number, height: number) => Canvas;
  };
  const image = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))]));
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext('2d').drawImage(image, 0, 0);
  const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 0.85 });
  return btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(''));
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
