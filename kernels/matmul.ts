/**
 * The matrix product C (+)= A·B over any of the layouts that forward and backward need, blocked for the caches.
 * Knows strides, not models. Invariant: blocking changes when an element is summed, never the order in which it is.
 *
 * A: element (i, k) of quad q = i/4 starts at a + q·quad + k·step. Row-major A: quad = 4 rows, step = 4 bytes, `as` = row stride.
 *    k-major A: quad = 16 bytes (or K·16 when packed in fours), step = `as` = the stride of k.
 * B: column panel j of 8 starts at b + j·panel, a k every `bs` bytes. Row-major B: panel = 32, bs = row stride. Packed: panel = 32·K, bs = 32.
 */
import { tileColumns, tileRows, tileWide } from './tile';

/** 128 rows × 384 k of A are 192 KB: half of a 512 KB L2 cache. One panel of 384 k is 12 KB: a third of L1. */
// @ts-ignore: decorator
@inline const ROWS: i32 = 128;
// @ts-ignore: decorator
@inline const DEPTH: i32 = 384;

export function matmul(
  kMajor: bool, a: usize, quad: usize, step: usize, as: usize,
  b: usize, panel: usize, bs: usize, k: i32,
  from: usize, fs: usize, fromColumns: usize, c: usize, cs: usize,
  rowBegin: i32, rowEnd: i32, panelBegin: i32, panelEnd: i32, columns: i32,
): void {
  for (let i0 = rowBegin; i0 < rowEnd; i0 += ROWS) {
    const i1 = min(i0 + ROWS, rowEnd);
    let k0 = 0;
    do {
      const depth = min(DEPTH, k - k0);
      const first = k0 == 0;
      for (let j = panelBegin; j < panelEnd; j++) {
        const n = min(8, columns - 8 * j);
        const bTile = b + j * panel + k0 * bs;
        const cTile = c + j * 32;
        const fTile = first ? from + j * fromColumns : cTile;
        const fRow = first ? fs : cs;
        if (kMajor) {
          for (let i = i0; i < i1; i += 4) {
            tileColumns(a + (<usize>i >> 2) * quad + k0 * step, as, bTile, bs, depth, fTile + i * fRow, fRow, cTile + i * cs, cs, i1 - i, n);
          }
        } else {
          for (let i = i0; i < i1; i += 4) {
            tileRows(a + (<usize>i >> 2) * quad + k0 * step, as, bTile, bs, depth, fTile + i * fRow, fRow, cTile + i * cs, cs, i1 - i, n);
          }
        }
      }
      k0 += DEPTH;
    } while (k0 < k);
  }
}

/**
 * A few rows of A (fewer than a tile has) against B packed in groups of 32 columns [O/32][K][32]: one stream through the weights, which is
 * all that counts when they are larger than the cache. Same bits as `matmul`. Range: groups.
 */
export function matvec(
  a: usize, as: usize, b: usize, k: i32, from: usize, fromColumns: usize, c: usize, cs: usize,
  rows: i32, columns: i32, begin: i32, end: i32,
): void {
  for (let j = begin; j < end; j++) {
    const group = b + <usize>(j * k) * 128;
    for (let r = 0; r < rows; r++) tileWide(a + r * as, group, 128, k, from + j * fromColumns, c + r * cs + j * 128, columns - 32 * j);
  }
}
