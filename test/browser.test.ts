// The same bits in Chromium: the compiled library and the program of test/programs/same-bits.ts in a module Worker of a page, with and
// without threads. Without a browser this is skipped and says so; under CI=true that is a failure.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium, NO_BROWSER } from './chromium.js';
import { ROOT } from './cli.js';
import { describeFullWith } from './needs.js';
import type { ModelName } from './programs/same-bits.js';
import { STEPS } from './programs/same-bits.js';
import type { Answer, Question } from './programs/same-bits-browser.js';
import { PROGRAMS } from './programs.js';
import { EXPECTED, names } from './same-bits.js';

/** As much of playwright-core as is used here. */
interface Browser {
  newPage(): Promise<Page>;
  version(): string;
  close(): Promise<void>;
}
interface Page {
  goto(url: string): Promise<unknown>;
  evaluate<A, R>(run: (argument: A) => Promise<R>, argument: A): Promise<R>;
  close(): Promise<void>;
}
/** As much of a page as is used here. */
interface PageScope {
  readonly Worker: new (
    url: string,
    options: { type: 'module' },
  ) => {
    onmessage: (event: { data: Answer }) => void;
    onerror: (event: { message: string }) => void;
    postMessage(question: Question): void;
    terminate(): void;
  };
}

/** Serves dist/ and the compiled programs on this machine only. The page `/isolated` may share memory, `/plain` may not. */
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  if (pathname !== '/plain') {
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
  }
  if (pathname === '/plain' || pathname === '/isolated') {
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>same bits</title>');
    return;
  }
  const [, folder, ...path] = pathname.split('/');
  const base = { dist: join(ROOT, 'dist'), test: PROGRAMS }[folder];
  const file = join(base ?? '', folder === 'test' ? path.slice(1).join('/') : path.join('/'));
  if (base === undefined || extname(file) !== '.js' || !file.startsWith(base)) {
    response.writeHead(404).end();
    return;
  }
  try {
    response.setHeader('Content-Type', 'text/javascript').end(readFileSync(file));
  } catch {
    response.writeHead(404).end();
  }
});

describeFullWith(NO_BROWSER, 'Chromium', () => {
  let browser: Browser;
  let address: string;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchChromium<Browser>();
  });
  afterAll(async () => {
    await browser?.close();
    server.close();
  });

  async function ask(path: '/isolated' | '/plain', models: ModelName[], threads: number, askers = 48) {
    const page = await browser.newPage();
    await page.goto(address + path);
    const question: Question = { names: names(), models, threads, askers };
    const answer = await page.evaluate(
      (data: Question) =>
        new Promise<Answer>((resolve) => {
          const { Worker } = globalThis as unknown as PageScope;
          const worker = new Worker('/test/programs/same-bits-browser.js', { type: 'module' });
          worker.onmessage = (event) => {
            worker.terminate();
            resolve(event.data);
          };
          worker.onerror = (event) => resolve({ error: `the worker could not be loaded: ${event.message}` });
          worker.postMessage(data);
        }),
      question,
    );
    await page.close();
    if ('error' in answer) throw new Error(answer.error);
    const { outcomes, why } = answer;
    expect(
      outcomes.map((outcome) => outcome.bits),
      browser.version(),
    ).toEqual(models.map((model) => EXPECTED[model]));
    for (const outcome of outcomes) expect(outcome.differs).toEqual([]);
    return { shared: outcomes.map((outcome) => outcome.sharedTraining), why };
  }

  test('one thread leaves the recorded bits of both models', async () => {
    expect(await ask('/isolated', ['canonical', 'large'], 1)).toEqual({ shared: [0, 0], why: [] });
  });

  test('two threads and four share every step and leave the recorded bits, of one engine after the other', async () => {
    expect(await ask('/isolated', ['large', 'large'], 2)).toEqual({ shared: [STEPS, STEPS], why: [] });
    expect(await ask('/isolated', ['large'], 4)).toEqual({ shared: [STEPS], why: [] });
  });

  test('1,000 askers of one service at once get the recorded answers, on one thread and on eight', async () => {
    expect(await ask('/isolated', ['canonical', 'large'], 1, 1000)).toEqual({ shared: [0, 0], why: [] });
    expect(await ask('/isolated', ['large'], 8, 1000)).toEqual({ shared: [STEPS], why: [] });
  });

  test('without cross-origin isolation: one thread, the reason, and the recorded bits', async () => {
    const { shared, why } = await ask('/plain', ['large'], 2);
    expect(shared).toEqual([0]);
    expect(why).toEqual([expect.stringContaining('not cross-origin isolated')]);
  });
});
