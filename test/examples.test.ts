// The programs in examples/ run as they stand and do what their headers say. They are compiled by the build, and import microgpt by its name.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadModel } from '../src/node/index.js';
import { launchChromium, NO_BROWSER } from './chromium.js';
import { ROOT, runCommand, temporaryFolder } from './cli.js';
import { describeFullWith } from './needs.js';

const at = (name: string) => join(ROOT, 'examples', name);
const programs = readdirSync(join(ROOT, 'examples')).filter((name) => /\.(ts|html)$/.test(name));
const lines = (text: string) => text.trimEnd().split('\n');
const read = (path: string) => readFileSync(path, 'utf8');

/** As after `npm start`: the compiled program, in a folder of its own. */
const run = (name: string, args: readonly string[], cwd = temporaryFolder()) =>
  runCommand(process.execPath, [join(ROOT, `dist/examples/${name}.js`), ...args], { cwd });

test('each is short, says how to run it, and takes only what users have; each has a test here', () => {
  const own = read(join(ROOT, 'test/examples.test.ts'));
  expect(programs.length).toBeGreaterThan(5);
  for (const name of programs.filter((program) => program !== 'microgpt.ts')) {
    const text = read(at(name));
    expect(lines(text).length, name).toBeLessThanOrEqual(40);
    expect(text, name).toMatch(name.endsWith('.ts') ? /^\/\*\*\n \* \w/ : /^<!doctype html>\n<!--\n/);
    expect(text, name).toMatch(new RegExp(`(node|localhost\\S*) ?(--test )?/?examples/${name}`));
    const taken = [...text.matchAll(/ from '([^']+)'/g)].map(([, from]) => from);
    expect(
      taken.filter((from) => !/^(microgpt(\/(node|server|browser))?|node:[a-z/]+)$/.test(from)),
      name,
    ).toEqual([]);
    expect(own.split(name.replace(/(\.test)?\.\w+$/, '')).length, `${name} has no test`).toBeGreaterThan(1);
  }
});

test('own-text: ten new lines that are none of the text, and a model of it', async () => {
  const cwd = temporaryFolder();
  const { code, stdout, stderr } = await run('own-text', [at('dinosaurs.txt'), '200'], cwd);
  expect(code, stderr).toBe(0);
  const dinosaurs = new Set(lines(read(at('dinosaurs.txt'))));
  const written = lines(stdout);
  expect(new Set(written).size).toBe(10);
  expect(written.filter((line) => dinosaurs.has(line))).toEqual([]);
  // It has learned how such names end; letters at random end so once in hundreds of lines.
  expect(written.filter((line) => line.endsWith('us')).length, stdout).toBeGreaterThan(3);
  const { checkpoint } = await loadModel(join(cwd, 'own-text.safetensors'));
  expect(checkpoint.tokenizer.encode('saurus').unknown).toEqual([]);
  expect(stderr).toMatch(/^220 lines, \d+ parameters\nstep 100: loss \d\.\d{3}\nstep 200: /);
});

test('odd-lines: picks what does not look like a name, and only that', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'lines.txt'), 'maria\nzzxqjvk\nanna\njohn 3:16\nelena\n');
  const { code, stdout, stderr } = await run('odd-lines', [join(ROOT, 'datasets/names.txt'), 'lines.txt'], cwd);
  expect(code, stderr).toBe(0);
  expect(lines(stdout)).toEqual([
    expect.stringMatching(/^zzxqjvk\t\d+\.\d bits per character, above (99|100)%$/),
    expect.stringMatching(/^john 3:16\t\d+\.\d bits per character, above 100%, 5 characters never seen$/),
  ]);
});

test('talk: one line in, one line out, until the input ends', async () => {
  const talk = join(ROOT, 'dist/examples/talk.js');
  const command = `printf 'hello\\nhow are you today?\\n' | '${process.execPath}' '${talk}'`;
  const { code, stdout, stderr } = await runCommand('bash', ['-c', command], { cwd: temporaryFolder() });
  expect(code, stderr).toBe(0);
  expect(lines(stdout)).toEqual([expect.stringMatching(/hello/), expect.stringMatching(/\w/)]);
  expect(stderr).toBe('4 turns\n');
});

test('demands: what is demanded is kept, what is impossible is said', async () => {
  const { code, stdout, stderr } = await run('demands', []);
  expect(code, stderr).toBe(0);
  const [samples, ...rest] = lines(stdout);
  expect(samples.split(' ')).toHaveLength(3);
  for (const sample of samples.split(' ')) expect(sample).toMatch(/^k[a-z]{2,5}a$/);
  expect(rest).toEqual([
    expect.stringMatching(/^(maria|anna) [5-9]\d\.\d%$/),
    expect.stringMatching(/^(maria|anna) [1-4]?\d\.\d%$/),
    'xkcdq 0.0%',
    expect.stringMatching(/^MG_GEN_IMPOSSIBLE: found 0 of 1 samples: .*startsWith "7"$/),
    expect.stringMatching(/^→ demand less/),
  ]);
});

test('client.test: passes with Node’s own runner, and fails with a client that does not try again', async () => {
  const passed = await runCommand(process.execPath, ['--test', join(ROOT, 'dist/examples/client.test.js')], {
    cwd: ROOT,
  });
  expect(passed.code, passed.stdout).toBe(0);
  expect(passed.stdout).toMatch(/pass 1\n/);
  const impatient = read(join(ROOT, 'dist/examples/client.test.js')).replace('let tries = 3', 'let tries = 1');
  const cwd = temporaryFolder();
  const byPath = impatient.replaceAll(/'microgpt\/(\w+)'/g, (_, part) =>
    JSON.stringify(join(ROOT, 'dist', part, 'index.js')),
  );
  writeFileSync(join(cwd, 'impatient.test.mjs'), byPath);
  const failed = await runCommand(process.execPath, ['--test', 'impatient.test.mjs'], { cwd });
  expect([failed.code, failed.stdout]).toEqual([1, expect.stringContaining('the server says 429')]);
});

/** As much of playwright's browser as is used here. */
interface Browser {
  newPage(): Promise<{
    goto(url: string): Promise<unknown>;
    fill(selector: string, text: string): Promise<void>;
    click(selector: string): Promise<void>;
    textContent(selector: string): Promise<string | null>;
    waitForSelector(selector: string): Promise<unknown>;
  }>;
  close(): Promise<void>;
}

describeFullWith(NO_BROWSER, 'page.html in Chromium', () => {
  const types: Record<string, string> = { html: 'text/html', js: 'text/javascript' };
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    const type = types[path.split('.').at(-1) ?? ''];
    if (type === undefined || !/^\/(examples|dist)\//.test(path)) response.writeHead(404).end();
    else response.setHeader('Content-Type', type).end(readFileSync(join(ROOT, path)));
  });
  let browser: Browser;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    browser = await launchChromium<Browser>();
  });
  afterAll(async () => {
    await browser?.close();
    server.close();
  });

  test('learns what is in the box and writes new lines; says what is wrong with an empty one', async () => {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/examples/page.html`);
    await page.click('#learn');
    await page.waitForSelector('#learn:enabled');
    expect(await page.textContent('#said')).toMatch(/^\w+(, \w+){4}$/);
    await page.fill('#text', '');
    await page.click('#learn');
    await page.waitForSelector('#learn:enabled');
    expect(await page.textContent('#said')).toMatch(/no documents: /);
  });
});
