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
  /** The same for training on single Values: what V8 lets objects take on small machines (2 GiB), with room for the text. */
  valueBytes: 1.75 * 2 ** 30,
  /** Bytes of a model file in JSON. */
  modelJsonBytes: 400_000_000,
  /** Bytes of a model file in any other format. */
  modelBytes: 4_000_000_000,
  /** safetensors: bytes of the header, tensors (weights and two moments of each), dimensions, bytes of a name. */
  headerBytes: 2 ** 21,
  tensors: 8_192,
  rank: 4,
  nameBytes: 256,
  jsonDepth: 32,
  /** Bytes of a text that is read whole. */
  textBytes: 256 * 1024 * 1024,
} as const;
