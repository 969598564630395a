/**
 * The numbers that belong at the addresses of layout.ts from LOG2E on, in that order.
 * Knows no kernel. Invariant: every one is rounded to f32 once, by the array that holds it.
 */
export const CONSTANTS: Float32Array = Float32Array.of(
  Math.LOG2E,
  12582912, // 1.5·2²³: adding it rounds a number below 2²² to an integer, which is then found in the low bits
  0.693145751953125, // ln 2 in two pieces: the first ends in zero bits, so that n·first is exact …
  1.428606765330187e-6, // … and the second holds the rest
  1 / 2, // 1/n! of the Taylor sum of eʳ
  1 / 6,
  1 / 24,
  1 / 120,
  1 / 720,
  1 / 5040,
  1,
  -86, // below this, exp4 is 0
  1.5957691216057308, // 2·√(2/π)
  0.044715,
  0.134145, // 3·0.044715
  80, // bound on an exponent, so that nothing overflows
);
