/**
 * Copies matrices into the layouts that the tiles of the matrix product read in one stream.
 * Knows shapes only. Invariant: a packed element is a bit copy; columns that fill up the last panel are zero.
 */

/** w [O,I] → panels of 8 outputs: to[j][i][0..8] = w[8j..8j+8][i]. For x·wᵀ. Range: panels. */
export function packTransposed(w: usize, to: usize, outputs: i32, inputs: i32, begin: i32, end: i32): void {
  const row = <usize>inputs << 2;
  for (let j = begin; j < end; j++) {
    let p = to + j * row * 8;
    const live = outputs - 8 * j;
    if (live >= 8) {
      let r0 = w + j * row * 8;
      let r4 = r0 + 4 * row;
      let i = inputs;
      for (; i >= 4; i -= 4) {
        transpose4(r0, row, p, 32);
        transpose4(r4, row, p + 16, 32);
        r0 += 16; r4 += 16; p += 128;
      }
      for (; i > 0; i--) {
        for (let o: usize = 0; o < 8; o++) store<f32>(p + 4 * o, load<f32>(r0 + o * row));
        r0 += 4; p += 32;
      }
    } else {
      let r0 = w + j * row * 8;
      for (let i = 0; i < inputs; i++) {
        for (let o = 0; o < 8; o++) store<f32>(p + 4 * o, o < live ? load<f32>(r0 + o * row) : 0);
        r0 += 4; p += 32;
      }
    }
  }
}

/** 4×4: rows `row` bytes apart become columns `apart` bytes apart. */
// @ts-ignore: decorator
@inline
function transpose4(from: usize, row: usize, to: usize, apart: usize): void {
  const a = v128.load(from), b = v128.load(from + row), c = v128.load(from + 2 * row), d = v128.load(from + 3 * row);
  const ab = i32x4.shuffle(a, b, 0, 4, 1, 5), AB = i32x4.shuffle(a, b, 2, 6, 3, 7);
  const cd = i32x4.shuffle(c, d, 0, 4, 1, 5), CD = i32x4.shuffle(c, d, 2, 6, 3, 7);
  v128.store(to, i32x4.shuffle(ab, cd, 0, 1, 4, 5));
  v128.store(to + apart, i32x4.shuffle(ab, cd, 2, 3, 6, 7));
  v128.store(to + 2 * apart, i32x4.shuffle(AB, CD, 0, 1, 4, 5));
  v128.store(to + 3 * apart, i32x4.shuffle(AB, CD, 2, 3, 6, 7));
}

/** w [O,I] → groups of 32 outputs: to[j][i][0..32] = w[32j..32j+32][i]. For a few rows of x·wᵀ. Range: groups. */
export function packWide(w: usize, to: usize, outputs: i32, inputs: i32, begin: i32, end: i32): void {
  const row = <usize>inputs << 2;
  for (let j = begin; j < end; j++) {
    const group = to + j * row * 32;
    for (let o = 0; o < 32; o += 4) {
      const live = outputs - 32 * j - o;
      let r = w + (32 * j + o) * row;
      let p = group + (<usize>o << 2);
      let i = 0;
      if (live >= 4) {
        for (; i + 4 <= inputs; i += 4) {
          transpose4(r, row, p, 128);
          r += 16; p += 512;
        }
      }
      for (; i < inputs; i++) {
        for (let e = 0; e < 4; e++) store<f32>(p + 4 * e, e < live ? load<f32>(r + e * row) : 0);
        r += 4; p += 128;
      }
    }
  }
}

/** x [R,C] → panels of 8 columns: to[j][r][0..8] = x[r][8j..8j+8]. For a product that sums over rows. Range: panels. */
export function packColumns8(x: usize, to: usize, rows: i32, columns: i32, begin: i32, end: i32): void {
  const row = <usize>columns << 2;
  for (let j = begin; j < end; j++) {
    let p = to + (j * rows) * 32;
    let r = x + j * 32;
    if (8 * j + 8 <= columns) {
      for (let i = 0; i < rows; i++) {
        v128.store(p, v128.load(r));
        v128.store(p, v128.load(r, 16), 16);
        p += 32; r += row;
      }
    } else {
      const live = columns - 8 * j;
      for (let i = 0; i < rows; i++) {
        for (let o = 0; o < 8; o++) store<f32>(p + 4 * o, o < live ? load<f32>(r + 4 * o) : 0);
        p += 32; r += row;
      }
    }
  }
}

/** x [R,C] → quads of 4 columns: to[q][r][0..4] = x[r][4q..4q+4]. Range: quads. */
export function packColumns4(x: usize, to: usize, rows: i32, columns: i32, begin: i32, end: i32): void {
  const row = <usize>columns << 2;
  for (let q = begin; q < end; q++) {
    let p = to + (q * rows) * 16;
    let r = x + q * 16;
    if (4 * q + 4 <= columns) {
      for (let i = 0; i < rows; i++) {
        v128.store(p, v128.load(r));
        p += 16; r += row;
      }
    } else {
      const live = columns - 4 * q;
      for (let i = 0; i < rows; i++) {
        for (let o = 0; o < 4; o++) store<f32>(p + 4 * o, o < live ? load<f32>(r + 4 * o) : 0);
        p += 16; r += row;
      }
    }
  }
}
