/**
 * exp on four lanes and log on one number, built from IEEE additions and products only.
 * Knows no op. Invariant: no library function is called, so every engine and processor returns the same bits; errors stay below 2 ulp.
 */
import * as at from '../src/backend/wasm/layout';

// @ts-ignore: decorator
@inline
function constant(at: usize): v128 {
  return v128.load_splat<f32>(at);
}

/**
 * eˣ = 2ⁿ·eʳ with n = round(x/ln 2), |r| ≤ ln 2 / 2, and the Taylor sum to r⁷/7! (relative error 5e-9).
 * Exactly 0 below −86 (so a masked score of −∞ weighs nothing), NaN for NaN; the caller keeps x below 88.
 */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const shifted = f32x4.add(f32x4.mul(x, constant(at.LOG2E)), constant(at.ROUND));
  const n = f32x4.sub(shifted, constant(at.ROUND));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, constant(at.LN2_HIGH))), f32x4.mul(n, constant(at.LN2_LOW)));
  const r2 = f32x4.mul(r, r);
  // Pairs of terms side by side (Estrin): shorter chains than Horner's.
  const p67 = f32x4.add(constant(at.INVERSE_720), f32x4.mul(r, constant(at.INVERSE_5040)));
  const p45 = f32x4.add(constant(at.INVERSE_24), f32x4.mul(r, constant(at.INVERSE_120)));
  const p23 = f32x4.add(constant(at.INVERSE_2), f32x4.mul(r, constant(at.INVERSE_6)));
  let p = f32x4.add(p45, f32x4.mul(r2, p67));
  p = f32x4.add(p23, f32x4.mul(r2, p));
  p = f32x4.add(constant(at.ONE), f32x4.add(r, f32x4.mul(r2, p)));
  const scaled = i32x4.add(p, i32x4.shl(shifted, 23));
  return v128.andnot(scaled, f32x4.lt(x, constant(at.EXP_LOWEST)));
}

/** Natural logarithm of a positive normal number: x = m·2ᵉ with m in [√½, √2], ln m = 2·artanh((m−1)/(m+1)). */
export function log(x: f64): f64 {
  const bits = reinterpret<i64>(x);
  let e = <i32>(bits >> 52) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e += 1;
  }
  const s = (m - 1.0) / (m + 1.0);
  const z = s * s;
  const series = 1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0 + z * (1.0 / 11.0 + z * (1.0 / 13.0))))));
  return <f64>e * 0.6931471805599453 + 2.0 * s * series;
}
