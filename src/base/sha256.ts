/**
 * SHA-256 (FIPS 180-4), so that files can carry a checksum wherever the code runs: the browser's own is asynchronous and missing
 * on plain http pages. Invariant: the same digest as any other SHA-256.
 */

const WORDS = 64;
const BLOCK = 64; // bytes

/** The first 32 bits of the fractional parts of the roots of the first primes: cube roots for K, square roots for the start. */
const { K, START } = constants();

/** The digest of all parts, one after the other, in hexadecimal. */
export function sha256(...parts: readonly Uint8Array[]): string {
  const state = Int32Array.from(START);
  const w = new Int32Array(WORDS);
  const rest = new Uint8Array(BLOCK);
  let held = 0; // bytes waiting in `rest`
  let total = 0;
  for (const part of parts) {
    total += part.length;
    let at = 0;
    if (held > 0) {
      at = Math.min(BLOCK - held, part.length);
      rest.set(part.subarray(0, at), held);
      held += at;
      if (held < BLOCK) continue;
      absorb(state, w, rest, 0);
      held = 0;
    }
    for (; at + BLOCK <= part.length; at += BLOCK) absorb(state, w, part, at);
    rest.set(part.subarray(at), 0);
    held = part.length - at;
  }
  rest.fill(0, held);
  rest[held] = 0x80;
  if (held >= BLOCK - 8) {
    absorb(state, w, rest, 0);
    rest.fill(0);
  }
  const bits = new DataView(rest.buffer);
  bits.setUint32(BLOCK - 8, Math.floor(total / 2 ** 29));
  bits.setUint32(BLOCK - 4, (total * 8) >>> 0);
  absorb(state, w, rest, 0);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Works one block of 64 bytes into the state. The names are the standard's. */
function absorb(state: Int32Array, w: Int32Array, bytes: Uint8Array, at: number): void {
  for (let t = 0; t < 16; t++, at += 4) {
    w[t] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
  for (let t = 16; t < WORDS; t++) {
    const x = w[t - 15];
    const y = w[t - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = (w[t - 16] + s0 + w[t - 7] + s1) | 0;
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let t = 0; t < WORDS; t++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[t] + w[t]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = (state[0] + a) | 0;
  state[1] = (state[1] + b) | 0;
  state[2] = (state[2] + c) | 0;
  state[3] = (state[3] + d) | 0;
  state[4] = (state[4] + e) | 0;
  state[5] = (state[5] + f) | 0;
  state[6] = (state[6] + g) | 0;
  state[7] = (state[7] + h) | 0;
}

/** Whole-number roots, so that no engine's own cube root is trusted with the last bit. */
function constants() {
  const primes: bigint[] = [];
  for (let n = 2n; primes.length < WORDS; n++) if (primes.every((p) => n % p !== 0n)) primes.push(n);
  const fraction = (value: bigint, power: number) => {
    let root = 0n; // the largest with root^power ≤ value
    for (let bit = 36n; bit >= 0n; bit--) if ((root | (1n << bit)) ** BigInt(power) <= value) root |= 1n << bit;
    return Number(BigInt.asIntN(32, root));
  };
  return {
    K: Int32Array.from(primes, (p) => fraction(p << 96n, 3)),
    START: Int32Array.from(primes.slice(0, 8), (p) => fraction(p << 64n, 2)),
  };
}
