// The README's promises: every command in it runs, and prints what it says.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, temporaryFolder } from './cli.js';
import { asInAClone, codeBlocks, runCommands, runProgram } from './pages.js';

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
  const pages = [ROOT, join(ROOT, 'docs'), join(ROOT, 'docs/decisions')].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  );
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
