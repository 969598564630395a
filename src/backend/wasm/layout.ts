/**
 * The first page of the memory: what the kernels find at fixed addresses, read by the host and by the kernels alike.
 * Knows nothing else. Invariant: only literals, so that both languages read this file as it stands; the host writes the constants once.
 *
 * Why constants live in memory: V8 builds a vector constant anew wherever it is used, in every turn of a loop (two or three
 * instructions each), and sinks loop-invariant arithmetic, divisions included, into loops. A load stays where it is written.
 */

/** 128 bytes of zeros: where sums start that start at nothing. */
export const ZEROS = 1024;
/** Words between commands: how many workers have arrived · the round · the number of the worker that failed, 0 for none. */
export const BARRIER = 2048;
/** Words between runs: the run's number · address of its commands · how many · 1 to quit · how many workers have started. */
export const CONTROL = 2176;
/** Eight floats that AdamW derives from its hyperparameters. */
export const FACTORS = 2560;

/** Floats; see CONSTANTS below for their values. */
export const LOG2E = 3072;
export const ROUND = 3076;
export const LN2_HIGH = 3080;
export const LN2_LOW = 3084;
export const INVERSE_2 = 3088;
export const INVERSE_6 = 3092;
export const INVERSE_24 = 3096;
export const INVERSE_120 = 3100;
export const INVERSE_720 = 3104;
export const INVERSE_5040 = 3108;
export const ONE = 3112;
export const EXP_LOWEST = 3116;
export const GELU_SCALE = 3120;
export const GELU_CUBE = 3124;
export const GELU_CUBE_SLOPE = 3128;
export const GELU_MOST = 3132;
