/**
 * What a file is when it is not the text it was taken for: known by its first bytes, and called by its name.
 * Refuses to know: what it was to be used for. Invariant: valid UTF-8 text is never taken for something else, unless every second byte is NUL.
 */
import { MicrogptError } from '../base/errors.js';

interface FileKind {
  readonly name: string;
  readonly remedy: string;
}

const UNPACK = 'unpack it first';
const CONVERT = 'save it as plain text (UTF-8) first';

// The longer signature first where one begins with another.
const SIGNATURES: readonly (readonly [string, string, string])[] = [
  ['fffe0000', 'UTF-32 text', CONVERT],
  ['0000feff', 'UTF-32 text', CONVERT],
  ['fffe', 'UTF-16 text (little-endian)', CONVERT],
  ['feff', 'UTF-16 text (big-endian)', CONVERT],
  ['1f8b', 'a gzip archive', `${UNPACK}: gunzip FILE`],
  ['504b0304', 'a zip archive (also .docx, .xlsx, .epub)', `${UNPACK}, or export it as plain text`],
  ['504b0506', 'an empty zip archive', UNPACK],
  ['425a68', 'a bzip2 archive', `${UNPACK}: bunzip2 FILE`],
  ['fd377a585a00', 'an xz archive', `${UNPACK}: unxz FILE`],
  ['28b52ffd', 'a zstd archive', `${UNPACK}: unzstd FILE`],
  ['377abcaf271c', 'a 7z archive', UNPACK],
  ['526172211a07', 'a rar archive', UNPACK],
  ['255044462d', 'a PDF document', 'export it as plain text (UTF-8) first'],
  ['d0cf11e0a1b11ae1', 'an old Office document', CONVERT],
  ['7b5c727466', 'an RTF document', CONVERT],
  ['50415231', 'a Parquet table', 'export one column of it as text, CSV or JSON lines first'],
  [
    '53514c69746520666f726d6174203300',
    'an SQLite database',
    'export one column of it as text, CSV or JSON lines first',
  ],
  ['89504e470d0a1a0a', 'a PNG picture', 'give a text'],
  ['ffd8ff', 'a JPEG picture', 'give a text'],
  ['474946383961', 'a GIF picture', 'give a text'],
  ['7f454c46', 'a program', 'give a text'],
];

/** @param head at least the first 512 bytes, or all there are. */
export function recogniseFile(head: Uint8Array): FileKind | null {
  const hex = Array.from(head.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
  for (const [signature, name, remedy] of SIGNATURES) if (hex.startsWith(signature)) return { name, remedy };
  return utf16WithoutMark(head);
}

/** `otherwise` is a way out beside those of the kind of file. @throws MG_DATA_KIND when it is known to be no text */
export function requireTextFile(head: Uint8Array, source: string, otherwise = ''): void {
  const kind = recogniseFile(head);
  if (kind === null) return;
  throw new MicrogptError(
    'MG_DATA_KIND',
    `${source} is ${kind.name}, expected UTF-8 text`,
    `${kind.remedy}${otherwise}`,
  );
}

/** Western text in UTF-16 has a zero in every second byte, which no one writes in UTF-8. */
function utf16WithoutMark(head: Uint8Array): FileKind | null {
  const pairs = Math.min(head.length, 512) >> 1;
  if (pairs < 4) return null;
  const zeros = [0, 0];
  for (let i = 0; i < 2 * pairs; i++) if (head[i] === 0) zeros[i % 2]++;
  for (const [zero, other, order] of [
    [1, 0, 'little'],
    [0, 1, 'big'],
  ] as const) {
    if (zeros[zero] > 0.6 * pairs && zeros[other] === 0) {
      return { name: `UTF-16 text (${order}-endian, without a mark)`, remedy: CONVERT };
    }
  }
  return null;
}
