// The README's promises: every command in it runs, and prints what it says. And of all pages: what they name is there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS } from '../src/base/errors.js';
import { WARNINGS } from '../src/base/warnings.js';
import { ROOT, temporaryFolder } from './cli.js';
import { asInAClone, codeBlocks, runCommands, runProgram } from './pages.js';

const pages = [ROOT, join(ROOT, 'docs'), join(ROOT, 'docs/decisions')].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

test('every command in the README runs, in order, and prints what stands below it', async () => {
  const cwd = temporaryFolder();
  asInAClone(cwd);
  expect(await runCommands('README.md', cwd)).toBeGreaterThan(10);
}, 120_000);

test('the quick start names exactly the two commands that a fresh clone is tested with', () => {
  expect(codeBlocks('README.md', 'sh')).toEqual(['npm start\nnpm test\n']);
});

test('the library example runs as it stands', async () => {
  const { code, stdout, stderr } = await runProgram(codeBlocks('README.md', 'ts')[0], temporaryFolder());
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^\[\s*'\w+',\s*'\w+',\s*'\w+'\s*\]\n$/);
});

test('every link from page to page leads to a file that is there, and to a heading in it', () => {
  const anchors = (page: string) =>
    [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
  let links = 0;
  for (const page of pages) {
    const prose = readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```|`[^`\n]*`/gm, '');
    for (const [, path, anchor] of prose.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)) {
      const target = path === '' ? page : resolve(dirname(page), path);
      expect(existsSync(target), `${page} → ${path}`).toBe(true);
      if (anchor !== undefined) expect(anchors(target), `${page} → ${path}#${anchor}`).toContain(anchor);
      links++;
    }
  }
  expect(links).toBeGreaterThan(30);
});

/** Flags of other programs that pages tell about. */
const OF_OTHERS =
  `--allow-addons --cpu-prof --cpus-per-task --hostfile --ignore-scripts --job-name --mca --mpi --no-install-recommends --nodes
  --ntasks-per-node --permission --signal --wdir`.split(/\s+/);

test('every flag, error code and file of the code that a page names is there', () => {
  const below = (folder: string) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => !name.includes('node_modules'))
      .map((name) => `${folder}/${name}`);
  const files = ['src', 'web/src', 'kernels', 'test', 'bench', 'scripts', 'examples', 'docs'].flatMap(below);
  const commands = files
    .filter((name) => /^(?:src\/cli|bench|scripts)\/.*\.(?:ts|mjs)$/.test(name))
    .map((name) => readFileSync(join(ROOT, name), 'utf8'))
    .join('\n');
  const isFlag = (flag: string) => OF_OTHERS.includes(flag) || new RegExp(`${flag}(?![a-z0-9-])`).test(commands);
  const isCode = (code: string) => code in ERRORS || code in WARNINGS;
  const isFile = (name: string) => files.some((file) => file === name || file.endsWith(`/${name}`));
  const missing: string[] = [];
  let named = 0;
  for (const page of pages) {
    const words = readFileSync(page, 'utf8');
    const look = (pattern: RegExp, isThere: (name: string) => boolean) => {
      for (const [, name] of words.matchAll(pattern)) {
        named++;
        if (!isThere(name)) missing.push(`${page}: ${name}`);
      }
    };
    look(/(?<![\w-])(--[a-z][a-z0-9-]*)/g, isFlag);
    look(/\b(MG_[A-Z0-9]+(?:_[A-Z0-9]+)+)\b/g, isCode);
    look(/`([\w./-]+\.(?:tsx?|mjs))`/g, isFile);
  }
  expect(missing).toEqual([]);
  expect(named).toBeGreaterThan(500);
});
