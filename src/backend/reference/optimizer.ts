/**
 * Dropout, the norm of the gradients, clipping and AdamW as plain f64 loops.
 */
import { keeps } from '../../base/dropout-mask.js';

/** into += x·mask·scale; key is two words of key and the threshold. */
export function dropout(x: Float64Array, key: Int32Array, scale: Float64Array, into: Float64Array): void {
  const place = [key[0], key[1]] as const;
  const threshold = key[2] >>> 0;
  for (let i = 0; i < x.length; i++) into[i] += x[i] * (keeps(place, threshold, i) ? scale[0] : 0);
}

/** norm[0] = √(Σ g²) over all gradients together, summed in blocks of 4,096 as every backend does. */
export function gradNorm(grads: Float64Array, norm: Float64Array): void {
  let sum = 0;
  for (let from = 0; from < grads.length; from += 4096) {
    let block = 0;
    for (let i = from; i < Math.min(from + 4096, grads.length); i++) block += grads[i] * grads[i];
    sum += block;
  }
  norm[0] = Math.sqrt(sum);
}

/** Scales all gradients so that their norm is at most limit[0]; leaves them alone where the norm is not finite. */
export function clip(grads: Float64Array, norm: Float64Array, limit: Float64Array): void {
  if (!Number.isFinite(norm[0])) return;
  const scale = Math.min(1, limit[0] / norm[0]);
  for (let i = 0; i < grads.length; i++) grads[i] *= scale;
}

/** Kingma & Ba (2015), with the decay of Loshchilov & Hutter (2019). `hyper` as backend.ts lists it. */
export function adamw(
  params: Float64Array,
  grads: Float64Array,
  m: Float64Array,
  v: Float64Array,
  hyper: Float64Array,
  guard: Float64Array,
): void {
  if (!Number.isFinite(guard[0])) return;
  const [lr, beta1, beta2, eps, decay, correction1, correction2] = hyper;
  for (let i = 0; i < params.length; i++) {
    const g = grads[i];
    m[i] = beta1 * m[i] + (1 - beta1) * g;
    v[i] = beta2 * v[i] + (1 - beta2) * (g * g);
    params[i] -= lr * (m[i] / correction1 / (Math.sqrt(v[i] / correction2) + eps) + decay * params[i]);
  }
}
