/**
 * relu, relu² and GELU (tanh form; Hendrycks & Gimpel, 2016), forward and backward, element by element.
 * Knows lengths only. Invariant: an element's result depends on that element alone. Ranges begin at a multiple of 4.
 * GELU is computed as x·σ(2u), u = √(2/π)·(x + 0.044715·x³): the same function as ½x(1 + tanh u), with no loss of digits in the left tail.
 */
import * as at from '../src/backend/wasm/layout';
import { exp4 } from './math';
import { firstLanes, storeLanes } from './simd';

export const RELU = 0;
export const RELU2 = 1;
export const GELU = 2;

// @ts-ignore: decorator
@inline
function constant(from: usize): v128 {
  return v128.load_splat<f32>(from);
}

/** σ(2u) */
// @ts-ignore: decorator
@inline
function sigmoidOfTwice(x: v128, square: v128): v128 {
  const one = constant(at.ONE);
  const z = f32x4.mul(f32x4.mul(x, constant(at.GELU_SCALE)), f32x4.add(one, f32x4.mul(square, constant(at.GELU_CUBE))));
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.min(constant(at.GELU_MOST), f32x4.neg(z)))));
}

// @ts-ignore: decorator
@inline
function forward(kind: i32, x: v128): v128 {
  if (kind == GELU) return f32x4.mul(x, sigmoidOfTwice(x, f32x4.mul(x, x)));
  const positive = f32x4.pmax(x, f32x4.splat(0)); // in this order NaN stays NaN
  return kind == RELU ? positive : f32x4.mul(positive, positive);
}

/** g·f′(x) */
// @ts-ignore: decorator
@inline
function backward(kind: i32, x: v128, g: v128): v128 {
  if (kind == GELU) {
    const square = f32x4.mul(x, x);
    const s = sigmoidOfTwice(x, square);
    const one = constant(at.ONE);
    // d(2u)/dx = 2√(2/π)·(1 + 3·0.044715·x²)
    const du = f32x4.mul(constant(at.GELU_SCALE), f32x4.add(one, f32x4.mul(square, constant(at.GELU_CUBE_SLOPE))));
    return f32x4.mul(g, f32x4.add(s, f32x4.mul(f32x4.mul(x, du), f32x4.mul(s, f32x4.sub(one, s)))));
  }
  const passed = v128.and(g, f32x4.gt(x, f32x4.splat(0)));
  return kind == RELU ? passed : f32x4.mul(passed, f32x4.add(x, x));
}

// @ts-ignore: decorator
@inline
function forwardAll(kind: i32, x: usize, out: usize, n: i32): void {
  for (; n >= 16; n -= 16) {
    v128.store(out, forward(kind, v128.load(x)));
    v128.store(out, forward(kind, v128.load(x, 16)), 16);
    v128.store(out, forward(kind, v128.load(x, 32)), 32);
    v128.store(out, forward(kind, v128.load(x, 48)), 48);
    x += 64; out += 64;
  }
  for (; n > 0; n -= 4) {
    storeLanes(out, forward(kind, v128.load(x)), n);
    x += 16; out += 16;
  }
}

// @ts-ignore: decorator
@inline
function addAt(kind: i32, x: usize, dOut: usize, dX: usize, i: usize, keep: v128): v128 {
  return f32x4.add(v128.and(v128.load(dX + i), keep), backward(kind, v128.load(x + i), v128.load(dOut + i)));
}

// @ts-ignore: decorator
@inline
function backwardAll(kind: i32, x: usize, dOut: usize, dX: usize, keep: v128, n: i32): void {
  for (; n >= 16; n -= 16) {
    v128.store(dX, addAt(kind, x, dOut, dX, 0, keep));
    v128.store(dX, addAt(kind, x, dOut, dX, 16, keep), 16);
    v128.store(dX, addAt(kind, x, dOut, dX, 32, keep), 32);
    v128.store(dX, addAt(kind, x, dOut, dX, 48, keep), 48);
    x += 64; dOut += 64; dX += 64;
  }
  for (; n > 0; n -= 4) {
    storeLanes(dX, addAt(kind, x, dOut, dX, 0, keep), n);
    x += 16; dOut += 16; dX += 16;
  }
}

export function activation(kind: i32, x: usize, out: usize, begin: i32, end: i32): void {
  const from = <usize>begin << 2;
  if (kind == RELU) forwardAll(RELU, x + from, out + from, end - begin);
  else if (kind == RELU2) forwardAll(RELU2, x + from, out + from, end - begin);
  else forwardAll(GELU, x + from, out + from, end - begin);
}

/** dX += dOut·f′(x); `fresh`: dX counts as 0 whatever it holds. */
export function activationBackward(kind: i32, x: usize, dOut: usize, dX: usize, fresh: bool, begin: i32, end: i32): void {
  const from = <usize>begin << 2;
  const keep = firstLanes(fresh ? 0 : 4);
  if (kind == RELU) backwardAll(RELU, x + from, dOut + from, dX + from, keep, end - begin);
  else if (kind == RELU2) backwardAll(RELU2, x + from, dOut + from, dX + from, keep, end - begin);
  else backwardAll(GELU, x + from, dOut + from, dX + from, keep, end - begin);
}
