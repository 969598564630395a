/**
 * Decoupled AdamW (Loshchilov & Hutter, 2019) over whole buffers, one pass.
 * Knows no schedule: `hyper` holds learning rate, β1, β2, ε, weight decay, 1 − β1ᵗ, 1 − β2ᵗ.
 * Invariant: an element depends on its own p, g, m, v alone. Ranges begin at a multiple of 4.
 */
import { FACTORS } from '../src/backend/wasm/layout';
import { storeLanes } from './simd';

export function adamw(params: usize, grads: usize, ms: usize, vs: usize, hyper: usize, begin: i32, end: i32): void {
  // rate·(m/c1) / (√(v/c2) + ε): both corrections leave the loop as factors. The factors go through memory, or V8 would compute
  // them again for every four elements (layout.ts says why); all workers write the same numbers.
  const rate = load<f32>(hyper), b1 = load<f32>(hyper, 4), b2 = load<f32>(hyper, 8);
  store<f32>(FACTORS, 1 - b1);
  store<f32>(FACTORS, 1 - b2, 4);
  store<f32>(FACTORS, 1 - rate * load<f32>(hyper, 16), 8);
  store<f32>(FACTORS, rate / load<f32>(hyper, 20), 12);
  store<f32>(FACTORS, sqrt<f32>(1 / load<f32>(hyper, 24)), 16);
  const beta1 = v128.load_splat<f32>(hyper, 4), beta2 = v128.load_splat<f32>(hyper, 8), eps = v128.load_splat<f32>(hyper, 12);
  const rest1 = v128.load_splat<f32>(FACTORS), rest2 = v128.load_splat<f32>(FACTORS, 4), keep = v128.load_splat<f32>(FACTORS, 8);
  const stepSize = v128.load_splat<f32>(FACTORS, 12), root = v128.load_splat<f32>(FACTORS, 16);
  const at = <usize>begin << 2;
  params += at; grads += at; ms += at; vs += at;
  let n = end - begin;
  while (n > 0) {
    const g = v128.load(grads);
    const m = f32x4.add(f32x4.mul(beta1, v128.load(ms)), f32x4.mul(rest1, g));
    const v = f32x4.add(f32x4.mul(beta2, v128.load(vs)), f32x4.mul(rest2, f32x4.mul(g, g)));
    const d = f32x4.div(f32x4.mul(stepSize, m), f32x4.add(f32x4.mul(f32x4.sqrt(v), root), eps));
    const p = f32x4.sub(f32x4.mul(v128.load(params), keep), d);
    if (n >= 4) {
      v128.store(ms, m);
      v128.store(vs, v);
      v128.store(params, p);
    } else {
      storeLanes(ms, m, n);
      storeLanes(vs, v, n);
      storeLanes(params, p, n);
    }
    params += 16; grads += 16; ms += 16; vs += 16;
    n -= 4;
  }
}
