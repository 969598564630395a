// The order of the house: who may import whom, what the core may touch, how long files get, what is documented.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { errorPage } from '../src/base/error-page.js';
import { ERRORS } from '../src/base/errors.js';
import { WARNINGS } from '../src/base/warnings.js';
import { ROOT } from './cli.js';

const SRC = join(ROOT, 'src');
const files = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
const text = (file: string) => readFileSync(file, 'utf8');
/** A file without its comments. */
const code = (file: string) => text(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
const sources = files(SRC).filter((file) => !file.endsWith('.test.ts'));

/** What each room may import, besides itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  autograd: ['base'],
  tensor: ['base'],
  tokenizer: ['base'],
  backend: ['base', 'tensor'],
  data: ['base', 'tokenizer'],
  model: ['base', 'tensor'],
  train: ['base', 'data', 'model'],
  generate: ['base'],
  score: ['base', 'generate', 'tokenizer'],
  checkpoint: ['base', 'data', 'model', 'tokenizer'],
  export: ['base', 'checkpoint', 'model', 'tokenizer'],
  engine: [
    'autograd',
    'backend',
    'base',
    'checkpoint',
    'data',
    'generate',
    'model',
    'score',
    'tensor',
    'tokenizer',
    'train',
  ],
  report: ['base', 'model', 'train'],
  node: ['backend', 'base', 'checkpoint', 'data', 'engine', 'export', 'model', 'tokenizer', 'train'],
  server: ['base', 'checkpoint', 'engine', 'generate', 'node', 'tokenizer'],
  browser: ['backend', 'base', 'checkpoint', 'engine', 'tokenizer'],
  cli: [
    'base',
    'checkpoint',
    'data',
    'engine',
    'export',
    'model',
    'node',
    'report',
    'score',
    'server',
    'tokenizer',
    'train',
  ],
};

const imports = (file: string) =>
  [...text(file).matchAll(/^(?:import|export)\b[^;]*?from '([^']+)'/gm)].map((m) => m[1]);
const room = (file: string) => relative(SRC, file).split('/')[0];

test('imports go from the surfaces down, never up or across', () => {
  const wrong: string[] = [];
  for (const file of sources) {
    if (room(file) === 'index.ts') continue;
    const allowed = MAY_IMPORT[room(file)];
    expect(allowed, `src/${room(file)} is not in the plan`).toBeDefined();
    for (const path of imports(file).filter((p) => p.startsWith('.'))) {
      const target = room(resolve(dirname(file), path));
      if (target !== room(file) && !allowed.includes(target)) wrong.push(`${relative(SRC, file)} → ${path}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('the core imports nothing from outside and asks nothing of the place it runs in', () => {
  for (const file of sources) {
    const outside = imports(file).filter((path) => !path.startsWith('.'));
    if (room(file) === 'cli') expect(outside.filter((p) => !p.startsWith('node:') && p !== 'commander')).toEqual([]);
    else if (room(file) === 'node') {
      expect(outside.filter((p) => !p.startsWith('node:') && !p.startsWith('@hono/node-server'))).toEqual([]);
    } else if (room(file) === 'server') {
      // A surface: it has a clock, and libraries that run anywhere.
      expect(outside.filter((p) => p !== 'hono' && p !== 'zod')).toEqual([]);
      expect(code(file), file).not.toMatch(/\b(process|Buffer|require|window)\./);
    } else {
      expect(outside, file).toEqual([]);
      expect(code(file), file).not.toMatch(/\b(process|Buffer|require|window|document|performance|Date)\./);
    }
  }
});

test('the playground uses the library as anybody would: by its public names alone', () => {
  const allowed = ['microgpt', 'microgpt/browser', 'preact', 'preact/hooks', 'uplot', 'virtual:datasets'];
  const folder = join(ROOT, 'web/src');
  const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file));
  expect(pages.length).toBeGreaterThan(20);
  for (const file of pages.map((name) => join(folder, name))) {
    const outside = imports(file).filter((path) => !path.startsWith('.') && !allowed.includes(path));
    expect(outside, file).toEqual([]);
    const beyond = imports(file).filter(
      (path) => path.startsWith('.') && !resolve(dirname(file), path).startsWith(folder),
    );
    // The code that one view shows is that of the lesson itself.
    expect(
      beyond.filter((path) => !path.endsWith('/autograd/value.ts?raw')),
      file,
    ).toEqual([]);
    expect(text(file), file).toMatch(/^\/\*\*/);
    expect(text(file).split('\n').length, file).toBeLessThanOrEqual(400);
  }
});

test('numbers that reach weights or text use our own functions', () => {
  const engineSpecific = /Math\.(exp|log|sin|cos|tan|tanh|pow|log2|log10|log1p|expm1|hypot|cbrt)\b/;
  for (const file of sources) if (room(file) !== 'cli') expect(code(file), file).not.toMatch(engineSpecific);
});

test('counts are written in one place', () => {
  const writers = sources.filter((file) => /toLocaleString\('en'\)|\(\?:\\d\{3\}\)\+/.test(code(file)));
  expect(writers.map((file) => file.split('/src/')[1])).toEqual(['base/count.ts']);
});

test('every file begins by saying what it is, and none is past 400 lines', () => {
  for (const file of sources) {
    expect(text(file), file).toMatch(/^\/\*\*\n \* /);
    expect(text(file).split('\n').length, file).toBeLessThanOrEqual(400);
  }
  const tests = [...files(join(ROOT, 'test')), ...files(SRC)].filter((file) => !file.includes('node_modules'));
  expect(tests.filter((file) => text(file).split('\n').length > 400)).toEqual([]);
  expect(text(join(ROOT, 'examples/microgpt.ts')).trimEnd().split('\n').length).toBeLessThanOrEqual(250);
});

test('every error and warning is made somewhere, tested somewhere and documented', () => {
  const thrown = sources
    .filter((file) => !/base\/(errors|warnings)\.ts$/.test(file))
    .map(text)
    .join('\n');
  const tested = [...files(join(ROOT, 'test')), ...files(SRC).filter((file) => file.endsWith('.test.ts'))]
    .filter((file) => !file.includes('node_modules'))
    .map(text)
    .join('\n');
  for (const code of Object.keys({ ...ERRORS, ...WARNINGS })) {
    expect(thrown.includes(`'${code}'`), `${code} is never thrown`).toBe(true);
    expect(tested.includes(code), `${code} is never tested`).toBe(true);
  }
  expect(text(join(ROOT, 'docs/errors.md')), 'run node scripts/docs.mjs').toBe(errorPage());
});

test('the bundled names: at least 3,000, distinct, sorted, a–z', () => {
  const names = text(join(ROOT, 'datasets/names.txt')).trimEnd().split('\n');
  expect(names.length).toBeGreaterThan(3000);
  expect(names).toEqual([...new Set(names)].sort());
  for (const name of names) expect(name).toMatch(/^[a-z]{2,14}$/);
});
