/**
 * The largest sizes that anything from outside may ask for. Checked before memory is taken.
 */
export const LIMITS = {
  nEmbd: 16_384,
  nHead: 1_024,
  nLayer: 128,
  blockSize: 65_536,
  vocabSize: 65_536,
  /** Numbers in all weights together. */
  parameters: 2 ** 28,
  /** Bytes that training may take in all: what 32-bit addresses reach, with room for what is not counted. */
  engineBytes: 3.75 * 2 ** 30,
  /** Bytes of a model file in JSON. */
  modelJsonBytes: 400_000_000,
  jsonDepth: 32,
  /** Bytes of a text that is read whole. */
  textBytes: 256 * 1024 * 1024,
} as const;
