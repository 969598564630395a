/**
 * As much of Protocol Buffers' wire format as it takes to write a message: fields of whole numbers, floats, bytes and text.
 * Refuses to know: what the messages mean. A message is a list of pieces; large ones are not copied before the end.
 * Format: protobuf.dev/programming-guides/encoding.
 */

/** Bytes in order, to be joined once. */
export type Message = readonly Uint8Array[];

const VARINT = 0;
const LENGTH = 2;
const FIXED32 = 5;

/** A whole number from 0 to 2^53, seven bits to a byte, the lowest first. */
function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  while (rest >= 128) {
    out.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.of(...out, rest);
}

const key = (field: number, type: number): Uint8Array => varint(field * 8 + type);

export const whole = (field: number, value: number): Message => [key(field, VARINT), varint(value)];

export function float(field: number, value: number): Message {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return [key(field, FIXED32), bytes];
}

export const bytes = (field: number, value: Uint8Array): Message => message(field, [value]);

export const text = (field: number, value: string): Message => bytes(field, new TextEncoder().encode(value));

/** A message inside of another: its length, then its pieces. */
export function message(field: number, inside: Message): Message {
  return [key(field, LENGTH), varint(lengthOf(inside)), ...inside];
}

export function joined(pieces: Message): Uint8Array {
  const out = new Uint8Array(lengthOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

export function lengthOf(pieces: Message): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}
