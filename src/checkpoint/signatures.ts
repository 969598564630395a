/**
 * Files that are often taken for models and are none that microgpt opens, known by how they begin.
 * Invariant: nothing in them is ever executed or unpacked.
 */

interface Signature {
  readonly begins: readonly number[];
  readonly name: string;
  readonly remedy: string;
}

const TO_SAFETENSORS = 'convert it to a safetensors or model.json file with the program that made it';
const AGAIN = 'give a model.json, a .safetensors file, a <prefix>, or a folder with weights.json and meta.json';
const UNPACK = 'unpack it first';

const ascii = (text: string) => [...text].map((c) => c.charCodeAt(0));

const SIGNATURES: readonly Signature[] = [
  { begins: ascii('PK'), name: 'a zip, as PyTorch saves; microgpt never opens pickle files', remedy: TO_SAFETENSORS },
  { begins: [0x80, 2], name: 'a Python pickle; microgpt never opens those', remedy: TO_SAFETENSORS },
  { begins: [0x80, 3], name: 'a Python pickle; microgpt never opens those', remedy: TO_SAFETENSORS },
  { begins: [0x80, 4], name: 'a Python pickle; microgpt never opens those', remedy: TO_SAFETENSORS },
  { begins: [0x80, 5], name: 'a Python pickle; microgpt never opens those', remedy: TO_SAFETENSORS },
  { begins: ascii('(dp0'), name: 'a Python pickle; microgpt never opens those', remedy: TO_SAFETENSORS },
  { begins: ascii('GGUF'), name: 'a GGUF file', remedy: AGAIN },
  { begins: [0x93, ...ascii('NUMPY')], name: 'a NumPy array', remedy: TO_SAFETENSORS },
  { begins: [0x89, ...ascii('HDF')], name: 'an HDF5 file', remedy: TO_SAFETENSORS },
  { begins: [0x89, ...ascii('PNG')], name: 'a PNG picture', remedy: AGAIN },
  { begins: [0x1f, 0x8b], name: 'a gzip archive', remedy: UNPACK },
  { begins: [0x28, 0xb5, 0x2f, 0xfd], name: 'a zstd archive', remedy: UNPACK },
  // Field 1, the version of the format, and then field 2, the name of the program.
  ...Array.from({ length: 15 }, (_, version) => ({
    begins: [0x08, version + 1, 0x12],
    name: 'an ONNX graph, which is written for other runtimes and never read back',
    remedy: 'give the model that it was exported from',
  })),
  { begins: ascii('7z'), name: 'a 7z archive', remedy: UNPACK },
  { begins: [0xff, 0xfe], name: 'UTF-16 text', remedy: 'save it as UTF-8' },
  { begins: [0xfe, 0xff], name: 'UTF-16 text', remedy: 'save it as UTF-8' },
  { begins: [0xef, 0xbb, 0xbf], name: 'text with a byte order mark', remedy: 'save it as UTF-8 without the mark' },
  {
    begins: ascii('<'),
    name: 'a web page, or other markup',
    remedy:
      'download the file itself, not the page that shows it; of a page that microgpt exported, give the model it was made from',
  },
  {
    begins: ascii('version https://git-lfs'),
    name: 'a Git LFS pointer',
    remedy: 'fetch the file that it stands for: git lfs pull',
  },
];

/** What the file is, and what to do, when it is none of ours. */
export function foreignFile(bytes: Uint8Array): { readonly what: string; readonly remedy: string } {
  if (bytes.length === 0) return { what: 'is empty', remedy: AGAIN };
  const start = bytes.subarray(0, 8);
  const seen = JSON.stringify(String.fromCharCode(...start)).replace(
    /[^ -~]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16)}`,
  );
  const known = SIGNATURES.find(({ begins }) => begins.every((byte, i) => bytes[i] === byte));
  if (known !== undefined) return { what: `is ${known.name} (it begins with ${seen})`, remedy: known.remedy };
  return { what: `begins with ${seen}: no model that microgpt reads`, remedy: AGAIN };
}
