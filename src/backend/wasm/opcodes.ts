/**
 * The numbers of the commands that the Wasm module executes, read by the compiler of plans and by the kernels alike.
 * Knows nothing else. Invariant: only literals, so that both languages (TypeScript and AssemblyScript) read this file as it stands,
 * and dense from 0, so that the dispatch is one jump table.
 * A command is 16 words of 32 bits: the number, then its operands (addresses are bytes). `fresh` means that the output was to be cleared
 * just before: it counts as 0 whatever it holds, and nobody has to write the zeros.
 */

export const ZERO = 0; // x, n
export const ADD = 1; // a, b, out, n
export const EMBED = 2; // tokens, positions, tokenTable, positionTable, out, C, R
export const EMBED_BACKWARD = 3; // tokens, positions, dOut, dTokenTable, dPositionTable, C, R
export const RMSNORM = 4; // x, out, rstd, C, R
export const LAYERNORM = 5; // x, out, rstd, C, R
export const NORM_BACKWARD = 6; // out, rstd, dOut, dX, C, R, centred, fresh
export const MATMUL_ROWS = 7; // a, as, b, panel, bs, K, from, fs, fromColumns, c, cs, rows, columns
export const MATMUL_COLUMNS = 8; // a, as, b, panel, bs, K, from, fs, fromColumns, c, cs, rows, columns, quad
export const MATVEC = 9; // a, as, b, K, from, fromColumns, c, cs, rows, columns
export const SUM_COLUMNS = 10; // x, into, R, C, fresh
export const PACK_TRANSPOSED = 11; // w, to, O, I
export const PACK_PANELS = 12; // x, to, R, C
export const PACK_QUADS = 13; // x, to, R, C
export const ATTENTION = 14; // qkv, probs, out, H, T, D, scratch, scratchStride, B·H, starts
export const ATTENTION_BACKWARD = 15; // qkv, probs, dOut, dQkv, H, T, D, scratch, scratchStride, B·H, fresh, starts
export const ATTENTION_STEP = 16; // qkv, positions, sequences, keys, values, out, H, N, D, scratch, scratchStride, R·H
export const ACTIVATION = 17; // kind, x, out, n
export const ACTIVATION_BACKWARD = 18; // kind, x, dOut, dX, n, fresh
export const CROSS_ENTROPY = 19; // logits, targets, weights, probs, losses, V, R
export const WEIGHTED_LOSS = 20; // weights, losses, loss, R
export const CROSS_ENTROPY_BACKWARD = 21; // probs, targets, weights, dLogits, V, R, fresh
export const ADAMW = 22; // params, grads, m, v, hyper, n, guard
export const COPY = 23; // x, out, n
export const PACK_WIDE = 24; // w, to, O, I
export const CACHE_STORE = 25; // qkv, positions, sequences, keys, values, row, N, R
export const DROPOUT = 26; // x, key, scale, out, n
export const DROPOUT_BACKWARD = 27; // dOut, key, scale, dX, n, fresh
export const SQUARES = 28; // x, sums, n
export const NORM = 29; // sums, norm, blocks
export const CLIP = 30; // x, norm, limit, n
