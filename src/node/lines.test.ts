import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { lineBatches, MOST_LINE_UNITS } from './lines.js';

async function linesOf(chunks: readonly Uint8Array[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const part of lineBatches('-', Readable.from(chunks, { objectMode: true }))) lines.push(...part);
  return lines;
}

test('the same lines wherever the chunks are cut: line ends of any kind, characters of several bytes, a byte order mark', async () => {
  const text = '\ufeffone\r\ntwo\rthree\n\n\r\nfour 🌍é\r\n\ré\rlast';
  const bytes = new TextEncoder().encode(text);
  const expected = text.slice(1).split(/\r\n|\r|\n/);
  for (let size = 1; size <= bytes.length; size++) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    expect(await linesOf(chunks), `chunks of ${size}`).toEqual(expected);
  }
});

test('a line that ends with the input comes once, and nothing after it', async () => {
  const encode = (text: string) => [new TextEncoder().encode(text)];
  expect(await linesOf(encode('a\n'))).toEqual(['a']);
  expect(await linesOf(encode('a\r'))).toEqual(['a']);
  expect(await linesOf(encode('\n'))).toEqual(['']);
  expect(await linesOf(encode(''))).toEqual([]);
  expect(await linesOf([Uint8Array.of(0x61, 0xc3), Uint8Array.of(0x0a, 0xf0)])).toEqual(['a\ufffd', '\ufffd']);
});

test('a line without end is refused with its number, before it fills the memory', async () => {
  const megabyte = new Uint8Array(1 << 20).fill(97);
  function* endless() {
    yield new TextEncoder().encode('one\ntwo\n');
    for (let i = 0; i < 1000; i++) yield megabyte;
    throw new Error('read too much');
  }
  const lines: string[] = [];
  const reading = async () => {
    for await (const part of lineBatches('-', Readable.from(endless()))) lines.push(...part);
  };
  await expect(reading()).rejects.toMatchObject({
    code: 'MG_FILE_SIZE',
    message: expect.stringMatching(/^line 3 of standard input/),
  });
  expect([lines, MOST_LINE_UNITS]).toEqual([['one', 'two'], 1 << 24]);
});
