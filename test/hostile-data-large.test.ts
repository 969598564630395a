// D5: texts of a gigabyte are read in one pass, in bounded memory and time. The quick tier takes texts of 30 MB.
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ROOT, runCommand, temporaryFolder } from './cli.js';
import { FULL } from './golden.js';
import { PROGRAMS } from './programs.js';

const MEGABYTES = FULL ? 1000 : 30;
const MEMORY = 256; // MB, Node itself included
console.log(`${MEGABYTES} MB${FULL ? '' : ' (MICROGPT_TEST_TIER=full: 1,000 MB)'}`);

/** Calls `part` until the file has the size. */
function write(path: string, bytes: number, part: (n: number) => string): void {
  const file = openSync(path, 'wx');
  for (let done = 0, n = 0; done < bytes; n++) done += writeSync(file, part(n));
  closeSync(file);
}

// A megabyte of words, some with letters of two bytes; each part begins with its number, so that documents differ.
const words = Array.from({ length: 160_000 }, (_, i) => ((i * 7919) % 99_991).toString(36).replace('z', 'é'));

interface Outcome {
  readonly seconds: number;
  readonly rss: number;
  readonly documents: number;
  readonly heldOut: number;
  readonly tokens: number;
  readonly validation: number;
  readonly notes: string[];
}

async function read(name: string, bytes: number, part: (n: number) => string): Promise<Outcome> {
  const folder = temporaryFolder();
  const path = join(folder, 'text');
  const tokens = join(folder, 'tokens');
  write(path, bytes, part);
  const { code, stdout, stderr } = await runCommand(process.execPath, [join(PROGRAMS, 'large-data.js'), path, tokens], {
    cwd: folder,
  });
  expect(code, stderr).toBe(0);
  console.log(`${name}: ${stdout.trim()}`);
  expect(readdirSync(tokens)).toEqual([]);
  const outcome = JSON.parse(stdout) as Outcome;
  expect(outcome.rss).toBeLessThan(MEMORY);
  return outcome;
}

describe('D5: large texts', () => {
  const timeout = FULL ? 300_000 : 60_000;

  test('in lines', { timeout }, async () => {
    const bytes = MEGABYTES * 1e6;
    const outcome = await read('lines', bytes, (n) => `${n} ${words.join(' ').replace(/(.{60}\S*) /g, '$1\n')}\n`);
    expect(outcome.documents).toBeGreaterThan(bytes / 100);
    expect(outcome.heldOut / outcome.documents).toBeCloseTo(0.05, 2);
    expect(outcome.tokens).toBeGreaterThan(500 * 32 * 40);
    expect(outcome.validation).toBeGreaterThan(49_000);
    expect(outcome.validation).toBeLessThanOrEqual(50_000);
  });

  test('in one line', { timeout }, async () => {
    const outcome = await read('one line', MEGABYTES * 1e6, (n) => `${n} ${words.join(' ')} `);
    expect(outcome.notes[0]).toMatch(/^line 1 is longer than 16 MiB: cut into \d+ documents$/);
    expect(outcome.documents).toBe(Number(/into (\d+)/.exec(outcome.notes[0])![1]));
  });

  test('ten million empty lines', { timeout }, async () => {
    const lines = FULL ? 1e7 : 1e6;
    const outcome = await read('empty lines', lines, (n) => (n === 0 ? 'ab\nba\n' : '\n'.repeat(100_000)));
    expect(outcome.documents).toBe(2);
  });

  test('ten million tiny documents', { timeout }, async () => {
    const parts = FULL ? 100 : 5;
    const tiny = (n: number) =>
      Array.from({ length: 100_000 }, (_, i) => `${((n * 100_000 + i) % 1000).toString(36).padStart(2, '0')}\n`).join(
        '',
      );
    const outcome = await read('tiny documents', parts * 300_000 - 1, tiny);
    expect(outcome.documents).toBe(parts * 100_000);
  });

  test('microgpt train on it', { timeout }, async () => {
    const cwd = temporaryFolder();
    const bytes = MEGABYTES * 1e6;
    write(join(cwd, 'text'), bytes, (n) => `${n} ${words.join(' ').replace(/(.{60}\S*) /g, '$1\n')}\n`);
    const train = ['train', '--data', 'text', '--format', 'lines', '--steps', '50', '-n', '1', '--threads', '2'];
    // (each thread takes memory of its own: with all of 64 cores it would be theirs that counts)
    const main = pathToFileURL(join(ROOT, 'dist/cli/main.js')).href;
    const program = `import(${JSON.stringify(main)}).then(({ main }) => main(${JSON.stringify(train)})).then((code) => {
      console.log(JSON.stringify({ code, rss: process.resourceUsage().maxRSS / 1000 }));
    })`;
    const { stdout, stderr } = await runCommand(process.execPath, ['-e', program], { cwd });
    const { code, rss } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { code: number; rss: number };
    expect(code, stderr).toBe(0);
    console.log(`train: ${rss.toFixed(0)} MB at the most, Node and the model included`);
    expect(rss).toBeLessThan(MEMORY);
    expect(stderr).toMatch(/read text: [\d.]+ [MG]B in \d:\d\d; preparing the run\n/);
  });
});
