// microgpt data inspect: what it says of texts of every format, and of files that cannot be read.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { microgpt, temporaryFolder } from './cli.js';

describe('microgpt data inspect', () => {
  const files: Record<string, string | Buffer> = {
    'pets.txt': `${['rex', 'bella', 'milo', 'luna', 'rex'].join('\r\n')}\r\n`,
    'book.txt': `${'It was a long and very ordinary sentence.\nIt went on here.\n\n'.repeat(20)}`,
    'talk.jsonl':
      '[{"role":"user","content":"hi there"},{"role":"assistant","content":"yes"}]\n[{"role":"user","content":"ab"}]\n',
    'rows.csv': 'id,text\n1,one\n2,"two, too"\n',
    'packed.txt': gzipSync('hello'),
  };
  const inspect = async (...args: string[]) => {
    const cwd = temporaryFolder();
    mkdirSync(cwd, { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content);
    return microgpt(['data', 'inspect', ...args], { cwd });
  };

  test('lines: what is in them, what repeats, what is cut', async () => {
    const { code, stdout, stderr } = await inspect('pets.txt', '--block-size', '4');
    expect(code).toBe(0);
    expect(stderr).toContain('note: read as lines: its lines are short');
    expect(stderr).toContain('note: lines end 5 with CRLF: read as LF');
    expect(stdout).toMatch(/documents +5\n/);
    expect(stdout).toMatch(/lengths +3 to 5 tokens, median 4, 90 % up to 5\n/);
    expect(stdout).toMatch(/duplicates +1\n/);
    expect(stdout).toMatch(/context 4 +cuts 3 documents \(60.0 %\), 4 tokens in all\n/);
    expect(stdout).toMatch(/train takes +\d+ layers?, \d+ wide, \d heads, context 8: [\d,]+ parameters/);
    expect(stdout).toMatch(/rare characters +\d+: "\w" ×1/);
  });

  test('formats are guessed, and said; JSON has the same facts', async () => {
    const facts = async (...args: string[]) => JSON.parse((await inspect(...args, '--json')).stdout);
    expect(await facts('book.txt')).toMatchObject({ format: 'chunked', guessed: true, suggested: { blockSize: 64 } });
    const talk = await facts('talk.jsonl', '--block-size', '8');
    expect(talk).toMatchObject({
      format: 'chat',
      documents: 2,
      context: { blockSize: 8, withoutAssistant: 2, first: [1, 2] },
    });
    expect(await facts('rows.csv', '--column', 'text')).toMatchObject({
      format: 'csv',
      documents: 2,
      lengths: { min: 3, max: 8 },
    });
    expect(await facts('packed.txt', '--format', 'bytes')).toMatchObject({
      format: 'bytes',
      guessed: false,
      lengths: null,
    });
  });

  test('files that cannot be read are refused as training refuses them', async () => {
    expect(await inspect('packed.txt')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('error MG_DATA_KIND: packed.txt is a gzip archive'),
    });
    expect(await inspect('rows.csv', '--column', 'no')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('error MG_DATA_TABLE'),
    });
    expect(await inspect('nowhere.txt')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('error MG_FILE_MISSING'),
    });
    expect(await inspect('pets.txt', '--format', 'toString')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('error MG_CLI_VALUE'),
    });
  });
});
