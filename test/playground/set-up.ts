// What every test of the playground stands on: it is built and served once, a browser opens it, and what goes wrong in a page fails the test.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Checkpoint, corpusFromText, createTraining, type TrainingOptions } from '../../src/index.js';
import { playgroundFiles, type StaticFile } from '../../src/node/playground.js';
import { launchChromium } from '../chromium.js';
import { ROOT, runCommand } from '../cli.js';
import {
  type Browser,
  type Context,
  type FilePayload,
  type Page,
  press,
  serveIsolated,
  servePlain,
  trainToTheEnd,
} from '../playground-page.js';

const NAMES = join(ROOT, 'datasets/names.txt');
/** sha256 of the weights, as f32, of `microgpt train names`. */
export const CLASSIC = '918235a223f811ad1c5438fc1126902394d7f64ee45bb1dce4489f37a3f4b25f';
/** Long enough to pause it, and to look into it while it trains. */
export const STEPS = 600;
export const QUICK = `text=names&dial=1&seed=42&steps=${STEPS}`;

const OWN = 'rex\nbella\nmilo\nluna\nrocky\nbruno\nnala\nsimba\n';

export const hash = ({ parameters }: Checkpoint) =>
  createHash('sha256')
    .update(new Uint8Array(Float32Array.from(parameters).buffer))
    .digest('hex');
export const payload = (name: string, text: string | Buffer): FilePayload => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(text),
});

/** What the library makes of the same settings, here. */
export async function trained(options: Omit<TrainingOptions, 'corpus'>, heldOut: number) {
  const corpus = corpusFromText(readFileSync(NAMES), { format: 'lines', source: 'names.txt', heldOut });
  const training = createTraining({ corpus, ...options });
  for await (const _ of training.events()) {
    // the end is what counts
  }
  const result = { model: training.checkpoint(), peek: training.peek(5) };
  training.close();
  return result;
}

export const quick = (steps = STEPS) => trained({ recipe: 'standard', seconds: 2, seed: 42, steps }, 0.1);

/** Sets everything up before the tests of a suite, and gives what they use. */
export function setUpPlayground() {
  let browser: Browser;
  let files: ReadonlyMap<string, StaticFile>;
  let isolated: Awaited<ReturnType<typeof serveIsolated>>;
  let plain: Awaited<ReturnType<typeof servePlain>>;
  const problems: string[] = [];

  beforeAll(async () => {
    const built = await runCommand(process.execPath, [join(ROOT, 'scripts/playground.mjs')], { cwd: ROOT });
    expect(built.code, built.stderr).toBe(0);
    files = await playgroundFiles(join(ROOT, 'dist/playground'));
    isolated = await serveIsolated(files);
    plain = await servePlain(files, '/some/where/');
    browser = await launchChromium<Browser>([
      '--enable-blink-features=ForceEagerMeasureMemory',
      '--js-flags=--expose-gc',
    ]);
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

  /** A small text of one's own, pasted. */
  async function pasteOwn(page: Page, text = OWN): Promise<void> {
    await page.locator('input[name=corpus]').nth(3).check();
    await page.getByRole('textbox', { name: 'Your text' }).fill(text);
    await press(page, 'Use this text');
    await page.getByText('pasted.txt').first().waitFor();
  }

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
    const lines = await page.locator('.drawn .characters').all();
    const tokens = await Promise.all(lines.map((line) => line.locator('button:not(.end, .cut)').allTextContents()));
    return tokens.map((texts) => texts.join(''));
  }

  return {
    files: () => files,
    isolated: {
      get address() {
        return isolated.address;
      },
    },
    plain: {
      get address() {
        return plain.address;
      },
    },
    problems,
    within,
    upload,
    pasteOwn,
    trainAt,
    save,
    generated,
  };
}

export type Playground = ReturnType<typeof setUpPlayground>;
