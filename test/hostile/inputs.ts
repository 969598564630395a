// What hostile tests share: a seed that is printed and can be given, and a mutator of bytes.
import { createCounterRandom } from '../../src/base/counter-random.js';

/** MG_TEST_SEED repeats a run; without it every run tries other inputs. */
export const SEED = Number(process.env['MG_TEST_SEED'] ?? Date.now() % 1_000_000_007);

/** Whole numbers below `limit`, one after the other, for input number `n` of a stream. */
export function chooser(stream: number, n: number): (limit: number) => number {
  const random = createCounterRandom(SEED, stream);
  let position = 0;
  return (limit) => Math.floor(random.uniform(n, position++) * limit);
}

/** Pieces that have broken parsers before. */
const TOKENS = [
  ...[
    '-1',
    '-0',
    '1.5',
    '1e400',
    '1e-400',
    'NaN',
    '-Infinity',
    '9007199254740993',
    '"7"',
    'null',
    'true',
    '{}',
    '[]',
    '""',
  ],
  ...[
    '"__proto__"',
    '"constructor"',
    '"prototype"',
    '"toString"',
    '"<BOS>"',
    '"\\ud800"',
    '"\\u0000"',
    '"𝔸"',
    '\ufeff',
  ],
  ...[
    '{"__proto__":1}',
    '['.repeat(40),
    '{"a":'.repeat(40),
    ',',
    ':',
    '"',
    '\\',
    '}',
    ']',
    '0'.repeat(300),
    '65536',
    '16384',
  ],
].map((token) => new TextEncoder().encode(token));

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0x20, 0x22, 0x7b, 0x5b];

/** One to four changes: bits, bytes, cuts, repeats, pieces of other files, length fields. */
export function mutated(seed: Uint8Array, other: Uint8Array, pick: (limit: number) => number): Uint8Array {
  let bytes: Uint8Array = seed.slice();
  for (let changes = 1 + pick(4); changes > 0; changes--) {
    const at = pick(bytes.length + 1);
    switch (pick(9)) {
      case 0:
        if (at < bytes.length) bytes[at] ^= 1 << pick(8);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = INTERESTING[pick(INTERESTING.length)];
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        bytes = splice(bytes, at, pick(12), new Uint8Array(0));
        break;
      case 4:
        bytes = splice(bytes, at, pick(8), TOKENS[pick(TOKENS.length)]);
        break;
      case 5: {
        const from = pick(bytes.length + 1);
        bytes = splice(bytes, at, 0, bytes.slice(from, from + pick(40)));
        break;
      }
      case 6: {
        const from = pick(other.length + 1);
        bytes = splice(bytes, at, pick(40), other.slice(from, from + pick(80)));
        break;
      }
      case 7: // a number of 4 or 8 bytes, as lengths and counts are
        if (bytes.length >= 8) {
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
          const place = pick(4) === 0 ? 0 : Math.min(at, bytes.length - 8);
          const value = [0n, 1n, 0xffffffffn, 1n << 63n, (1n << 64n) - 1n, BigInt(bytes.length), BigInt(pick(1e6))][
            pick(7)
          ];
          view.setBigUint64(place, value, true);
        }
        break;
      case 8: // a digit, a letter
        if (at < bytes.length) bytes[at] = pick(2) === 0 ? 0x30 + pick(10) : 0x61 + pick(26);
        break;
    }
  }
  return bytes;
}

function splice(bytes: Uint8Array, at: number, cut: number, put: Uint8Array): Uint8Array {
  const rest = bytes.subarray(Math.min(bytes.length, at + cut));
  const out = new Uint8Array(at + put.length + rest.length);
  out.set(bytes.subarray(0, at));
  out.set(put, at);
  out.set(rest, at + put.length);
  return out;
}
