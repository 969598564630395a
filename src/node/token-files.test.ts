// Columns of numbers in files: read in any order they give what was appended, and reading forwards with gaps asks the system seldom.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { testOn } from '../../test/needs.js';
import { createSelection } from '../data/selection.js';
import { type FileColumns, fileColumns } from './token-files.js';

const folder = mkdtempSync(join(tmpdir(), 'microgpt-columns-'));
const open: FileColumns[] = [];
afterAll(() => {
  for (const columns of open) columns.close();
  rmSync(folder, { recursive: true, force: true });
});

/** 0, 1, 2 … as a column of numbers. */
async function counting(length: number) {
  const columns = await fileColumns(folder, 8 * length);
  open.push(columns);
  columns.documents.append(Float64Array.from({ length }, (_, i) => i));
  return columns.documents;
}

/** Numbers from 0 to below `n`, the same in every run. */
function walk(seed: number) {
  let state = seed;
  return (n: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

test('whatever is read after whatever, it is what was appended', async () => {
  const length = 40_000; // five blocks
  const column = await counting(length);
  const random = walk(7);
  let from = 0;
  for (let i = 0; i < 20_000; i++) {
    // Mostly onwards with gaps, sometimes a little back, sometimes anywhere; now and then more than a block, or beyond the end.
    const kind = random(20);
    from = kind === 0 ? random(length) : Math.max(0, from + (kind < 4 ? -random(40) : random(700)));
    if (from >= length) from = 0;
    const count = random(50) === 0 ? 9_000 : 1 + random(4);
    const read = column.read(from, count);
    const expected = Math.min(count, length - from);
    if (read.length !== expected || read[0] !== from || read[expected - 1] !== from + expected - 1) {
      throw new Error(`read ${i}: ${count} from ${from} gave ${read.length} from ${read[0]}`);
    }
  }
});

testOn('Linux', 'a tenth of the documents, one after the other, costs few reads of the file', async () => {
  const column = await counting(300_000);
  const reads = () => Number(/syscr: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  const before = reads();
  const held = createSelection(100_000, (i) => (i * 7) % 10 === 3);
  for (let k = 0; k < held.count; k++) {
    const i = held.select(k);
    expect(column.read(3 * i + 1, 1)[0]).toBe(3 * i + 1); // its hash
    expect(column.read(3 * i, 2)[0]).toBe(3 * i); // and where it begins
  }
  expect(held.count).toBe(10_000);
  expect(reads() - before).toBeLessThan(1000);
});

test('the k-th that is chosen, asked for in any order', () => {
  const random = walk(3);
  for (const [total, oneIn] of [
    [5000, 2],
    [5000, 900],
    [1300, 1],
  ]) {
    const bits = Array.from({ length: total }, () => random(oneIn) === 0);
    const list = bits.flatMap((bit, i) => (bit ? [i] : []));
    const selection = createSelection(total, (i) => bits[i]);
    expect(selection.count).toBe(list.length);
    let k = 0;
    for (let i = 0; i < 5000; i++) {
      const kind = random(4);
      k = kind === 0 ? random(list.length) : (k + (kind === 1 ? 0 : 1)) % list.length;
      expect(selection.select(k)).toBe(list[k]);
    }
  }
});
