/**
 * exp, log, sin, cos, tanh and pow in f64, made of +, −, ×, ÷ and Math.sqrt only.
 * JavaScript's own versions differ in the last bit from engine to engine; these give the same bits everywhere.
 * Each reduces its argument to a small interval and sums a Taylor series there; the leading terms are kept as an unevaluated
 * sum of two numbers (Dekker, 1971), so that exp, log, sin and cos are within about 0.52 units in the last place, tanh and pow within a few.
 */

// ln 2 and π/2 cut into pieces whose leading ones end in zeros, so that small multiples of them are exact (Cody & Waite, 1980).
const LN2_HIGH = 0.6931471803691238; // 33 bits
const LN2_LOW = 1.9082149292705877e-10;
const HALF_PI_1 = 1.5707963267341256; // 33 bits
const HALF_PI_2 = 6.077100506303966e-11; // the next 33 bits
const HALF_PI_3 = 2.0222662487959506e-21; // the rest

const doubles = new Float64Array(1);
const words = new Uint32Array(doubles.buffer);
const HIGH_WORD = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0; // little-endian or not

/** Coefficients 1/first!, 1/(first+stride)!, …, `count` of them, each with the sign of (sign)^i. */
function inverseFactorials(first: number, stride: number, count: number, sign: 1 | -1): number[] {
  const out: number[] = [];
  let factorial = 1;
  let s = 1;
  for (let n = 1, taken = 0; taken < count; n++) {
    factorial *= n;
    if (n !== first + taken * stride) continue;
    out.push(s / factorial);
    s *= sign;
    taken++;
  }
  return out;
}

const EXP_TAIL = Float64Array.from(inverseFactorials(2, 1, 13, 1)); // 1/2! … 1/14!
const SIN_TAIL = inverseFactorials(3, 2, 9, -1).map((c) => -c); // −1/3!, 1/5!, …
const COS_TAIL = inverseFactorials(4, 2, 9, -1); // 1/4!, −1/6!, …
const LOG_TAIL = Array.from({ length: 12 }, (_, i) => 2 / (2 * i + 3)); // 2/3, 2/5, …

/** c[0] + z·c[1] + z²·c[2] + … */
function polynomial(z: number, c: readonly number[]): number {
  let sum = c[c.length - 1];
  for (let i = c.length - 2; i >= 0; i--) sum = sum * z + c[i];
  return sum;
}

/** The same for the thirteen terms of exp, without a loop: sampling from a small model spends a third of its time here. */
function polynomial13(z: number, c: Float64Array): number {
  let sum = c[12] * z + c[11];
  sum = sum * z + c[10];
  sum = sum * z + c[9];
  sum = sum * z + c[8];
  sum = sum * z + c[7];
  sum = sum * z + c[6];
  sum = sum * z + c[5];
  sum = sum * z + c[4];
  sum = sum * z + c[3];
  sum = sum * z + c[2];
  sum = sum * z + c[1];
  return sum * z + c[0];
}

/** The rounding error of the product p = a·b (Veltkamp's split of each factor into halves). */
function productError(a: number, b: number, p: number): number {
  const ca = 134217729 * a;
  const aHigh = ca - (ca - a);
  const aLow = a - aHigh;
  const cb = 134217729 * b;
  const bHigh = cb - (cb - b);
  const bLow = b - bHigh;
  return aHigh * bHigh - p + aHigh * bLow + aLow * bHigh + aLow * bLow;
}

/** y·2^k, for |k| ≤ 1100. */
function scale(y: number, k: number): number {
  if (k > 1023) return y * powerOfTwo(1023) * powerOfTwo(k - 1023);
  if (k < -1022) return y * powerOfTwo(k + 100) * powerOfTwo(-100);
  return y * powerOfTwo(k);
}

/** 2^-1022 … 2^1023. A look-up: writing two words and reading them as one double makes the processor wait. */
const POWERS_OF_TWO = Float64Array.from({ length: 2046 }, (_, i) => {
  words[1 - HIGH_WORD] = 0;
  words[HIGH_WORD] = (i + 1) << 20;
  return doubles[0];
});

function powerOfTwo(k: number): number {
  return POWERS_OF_TWO[k + 1022];
}

/** e^(x + low), where low is a correction far below x. */
function expOfSum(x: number, low: number): number {
  if (x > 709.782712893384) return Number.POSITIVE_INFINITY;
  if (x < -745.1332191019412) return 0;
  if (Number.isNaN(x)) return x;
  const k = Math.round(x * Math.LOG2E);
  const high = x - k * LN2_HIGH; // exact
  const rest = low - k * LN2_LOW;
  const r = high + rest;
  const tail = r * r * polynomial13(r, EXP_TAIL) + rest;
  const s = high + tail;
  const sError = high - s + tail;
  const y = 1 + s;
  return scale(y + (1 - y + s + sError), k);
}

/** ln x as a leading part and a correction, for finite x > 0. */
function logAsSum(x: number): [number, number] {
  let k = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 18014398509481984; // 2^54: lifts a subnormal number into the normal range
    k = -54;
  }
  doubles[0] = x;
  const high = words[HIGH_WORD];
  k += (high >>> 20) - 1023;
  words[HIGH_WORD] = (high & 0xfffff) | 0x3ff00000;
  let m = doubles[0]; // [1, 2)
  if (m > Math.SQRT2) {
    m *= 0.5;
    k++;
  }
  // ln m = 2·artanh(s) with s = (m − 1)/(m + 1)
  const f = m - 1; // exact
  const d = 2 + f;
  const dError = 2 - d + f;
  const s = f / d;
  const p = s * d;
  const sError = (f - p - productError(s, d, p) - s * dError) / d;
  const z = s * s;
  const tail = s * z * polynomial(z, LOG_TAIL);
  const a = k * LN2_HIGH; // exact
  const b = 2 * s;
  const sum = a + b;
  const sumError = Math.abs(a) > Math.abs(b) ? a - sum + b : b - sum + a;
  return [sum, sumError + (2 * sError + tail + k * LN2_LOW)];
}

/** e^x: 0 far below, Infinity far above. */
export function exp(x: number): number {
  return expOfSum(x, 0);
}

/** Natural logarithm: −Infinity at 0, NaN below. */
export function log(x: number): number {
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (!(x > 0)) return Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  const [high, low] = logAsSum(x);
  return high + low;
}

/** x^y for x ≥ 0 and finite y. */
export function pow(x: number, y: number): number {
  if (y === 0 || x === 1) return 1;
  if (x === 0) return y > 0 ? 0 : Number.POSITIVE_INFINITY;
  if (!(x > 0)) return Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return y > 0 ? x : 0;
  const [high, low] = logAsSum(x);
  const p = y * high;
  if (!(Math.abs(p) < 800)) return expOfSum(p, 0);
  return expOfSum(p, productError(y, high, p) + y * low);
}

/** Hyperbolic tangent, from e^(−2|x|). */
export function tanh(x: number): number {
  const a = Math.abs(x);
  let t: number;
  if (a < 0.17) {
    const r = -2 * a; // e^r − 1 straight from the series, without cancellation
    const e = r + r * r * polynomial13(r, EXP_TAIL);
    t = -e / (2 + e);
  } else if (a < 20) {
    const e = exp(-2 * a);
    t = (1 - e) / (1 + e);
  } else {
    t = Number.isNaN(a) ? a : 1;
  }
  return x < 0 ? -t : t;
}

/** sine and cosine of x = n·π/2 + r with |r| ≤ π/4, turned back into the quadrant of x. Good for |x| ≤ 100,000. */
function sineOrCosine(x: number, quarterTurns: 0 | 1): number {
  const n = Math.round(x * 0.6366197723675814);
  const a = x - n * HALF_PI_1; // exact
  const b = n * HALF_PI_2; // exact
  const c = a - b;
  const cError = a - c - b - n * HALF_PI_3;
  const r = c + cError;
  const low = c - r + cError;
  const quadrant = (((n + quarterTurns) % 4) + 4) % 4;
  const value = quadrant % 2 === 0 ? sineNearZero(r, low) : cosineNearZero(r, low);
  return quadrant < 2 ? value : -value;
}

function sineNearZero(r: number, low: number): number {
  const z = r * r;
  return r + (r * z * polynomial(z, SIN_TAIL) + low * (1 - 0.5 * z));
}

function cosineNearZero(r: number, low: number): number {
  const z = r * r;
  const h = 0.5 * z;
  const w = 1 - h;
  const wError = 1 - w - h - 0.5 * productError(r, r, z);
  return w + (wError + (z * z * polynomial(z, COS_TAIL) - r * low));
}

/** x in radians, |x| ≤ 100,000. */
export function sin(x: number): number {
  return sineOrCosine(x, 0);
}

/** x in radians, |x| ≤ 100,000. */
export function cos(x: number): number {
  return sineOrCosine(x, 1);
}
