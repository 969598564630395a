// Mutated files of every format: a model or one typed error, nothing else; and what is read can be written and read again.
import { expect, onTestFinished, test } from 'vitest';
import type { FormatName } from '../../src/checkpoint/checkpoint.js';
import { decodeModel } from '../../src/checkpoint/decode.js';
import { decodeSafetensors, encodeSafetensors } from '../../src/checkpoint/safetensors.js';
import { FULL } from '../golden.js';
import { codeOf } from '../refusals.js';
import { chooser, mutated, SEED } from './inputs.js';
import { MODELS } from './models.js';

/** Per format. MG_FUZZ asks for another number. */
const INPUTS = Number(process.env['MG_FUZZ'] ?? (FULL ? 3_000_000 : 10_000));

/** Writing a model that got through, and reading it again, costs more than all else: one in so many is. */
const WRITTEN_AGAIN = FULL ? 16 : 2;

const formats = Object.keys(MODELS) as FormatName[];
const prototypes = [Object.prototype, Array.prototype, Function.prototype, Map.prototype, String.prototype];
const snapshot = () => JSON.stringify(prototypes.map((prototype) => Object.getOwnPropertyNames(prototype)));

test.each(formats.map((format, i) => [format, i] as const))(
  `%s: ${INPUTS.toLocaleString('en')} mutated inputs (MG_TEST_SEED=${SEED})`,
  (format, stream) => {
    const before = snapshot();
    const codes = new Map<string, number>();
    const cpu = process.cpuUsage();
    const { files } = MODELS[format];
    const others = formats.flatMap((name) => MODELS[name].files);
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0; // millions of refusals: their stacks cost more than the refusing
    onTestFinished(() => {
      Error.stackTraceLimit = stackTraceLimit;
    });
    let n = 0;
    const refusal = (action: () => void): string => {
      try {
        return codeOf(action);
      } catch (bug) {
        throw new Error(`input ${n}: ${bug}; again with MG_TEST_SEED=${SEED}`, { cause: bug });
      }
    };
    for (; n < INPUTS; n++) {
      const pick = chooser(stream, n);
      const damaged = pick(files.length);
      const [first, second] = files.map((file, i) =>
        i === damaged ? mutated(file, others[pick(others.length)], pick) : file,
      );
      const swap = second !== undefined && pick(2) === 1;
      const code = refusal(() => {
        const { checkpoint } = decodeModel(swap ? second : first, swap ? 'b.json' : 'a.json', {
          partner: swap ? first : second,
        });
        if (n % WRITTEN_AGAIN !== 0) return;
        const again = decodeSafetensors(encodeSafetensors(checkpoint), 'again').checkpoint;
        if (!checkpoint.parameters.every((x, i) => Object.is(x, again.parameters[i]))) throw new Error('another model');
      });
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect(snapshot()).toBe(before);
    // The mutator is worth its time: some inputs get through, and they fail in many ways.
    expect(codes.size, [...codes].join(' ')).toBeGreaterThanOrEqual(6);
    console.log(
      `${format}, ${(process.cpuUsage(cpu).user / INPUTS).toFixed(0)} µs each: ${[...codes].map(([code, count]) => `${code} ${count}`).join(', ')}`,
    );
  },
  3_600_000,
);
