/**
 * A graph in ONNX, written down node by node; values are called by their names.
 * Refuses to know: models. Field numbers are those of onnx.proto (github.com/onnx/onnx).
 */
import { bytes, float, joined, lengthOf, type Message, message, text, whole } from './protobuf.js';

const FLOAT = 1;
const INT64 = 7;
const ATTRIBUTE_TYPES = { float: 1, int: 2, ints: 7 } as const;
const IR_VERSION = 8;
/** The set of operators: 17 is read by every runtime since 2022. */
const OPSET = 17;

export type Attributes = { readonly [name: string]: number | readonly number[] | { readonly float: number } };

/** A size that is known, or the name of one that is not. */
export type Dimension = number | string;

export interface Graph {
  input(name: string, type: 'float' | 'int64', shape: readonly Dimension[]): string;
  output(name: string, type: 'float' | 'int64', shape: readonly Dimension[]): void;
  /** A constant of float32. */
  weights(name: string, shape: readonly number[], numbers: Float32Array): string;
  /** A constant of whole numbers; [] is the shape of a single one. */
  integers(values: readonly number[], shape?: readonly number[]): string;
  scalar(value: number): string;
  /** Adds a node; gives the names of its outputs. */
  node(op: string, inputs: readonly string[], attributes?: Attributes, outputs?: readonly string[]): string;
  finish(name: string, metadata: { readonly [name: string]: string }): Uint8Array;
  /** Bytes so far. */
  size(): number;
}

export function createGraph(producer: string): Graph {
  const nodes: Message[] = [];
  const constants: Message[] = [];
  const inputs: Message[] = [];
  const outputs: Message[] = [];
  const shared = new Map<string, string>();
  let count = 0;

  const constant = (name: string, type: number, shape: readonly number[], raw: Uint8Array): string => {
    constants.push(
      message(5, [...shape.flatMap((n) => whole(1, n)), ...whole(2, type), ...text(8, name), ...bytes(9, raw)]),
    );
    return name;
  };
  /** Small constants are written once. */
  const once = (key: string, make: (name: string) => string): string => {
    const known = shared.get(key);
    if (known !== undefined) return known;
    const name = make(`const_${shared.size}`);
    shared.set(key, name);
    return name;
  };
  const graph: Graph = {
    input(name, type, shape) {
      inputs.push(message(11, valueInfo(name, type, shape)));
      return name;
    },
    output(name, type, shape) {
      outputs.push(message(12, valueInfo(name, type, shape)));
    },
    weights: (name, shape, numbers) => constant(name, FLOAT, shape, littleEndian(numbers)),
    integers(values, shape = [values.length]) {
      return once(`${shape}:${values}`, (name) => {
        const raw = new Uint8Array(8 * values.length);
        const view = new DataView(raw.buffer);
        values.forEach((value, i) => {
          view.setBigInt64(8 * i, BigInt(value), true);
        });
        return constant(name, INT64, shape, raw);
      });
    },
    scalar: (value) => once(`scalar ${value}`, (name) => graph.weights(name, [], Float32Array.of(value))),
    node(op, from, attributes = {}, to = [`${op.toLowerCase()}_${count}`]) {
      const id = `${op}_${count++}`;
      nodes.push(
        message(1, [
          ...from.flatMap((name) => text(1, name)),
          ...to.flatMap((name) => text(2, name)),
          ...text(3, id),
          ...text(4, op),
          ...Object.entries(attributes).flatMap(([name, value]) => message(5, attribute(name, value))),
        ]),
      );
      return to[0];
    },
    finish(name, metadata) {
      const body = [...nodes.flat(), ...text(2, name), ...constants.flat(), ...inputs.flat(), ...outputs.flat()];
      return joined([
        ...whole(1, IR_VERSION),
        ...text(2, producer),
        ...message(7, body),
        ...message(8, [...text(1, ''), ...whole(2, OPSET)]),
        ...Object.entries(metadata).flatMap(([key, value]) => message(14, [...text(1, key), ...text(2, value)])),
      ]);
    },
    size: () => [nodes, constants].flat().reduce((sum, part) => sum + lengthOf(part), 0),
  };
  return graph;
}

function attribute(name: string, value: Attributes[string]): Message {
  if (typeof value === 'number') return [...text(1, name), ...signed(3, value), ...whole(20, ATTRIBUTE_TYPES.int)];
  if ('float' in value) return [...text(1, name), ...float(2, value.float), ...whole(20, ATTRIBUTE_TYPES.float)];
  return [...text(1, name), ...value.flatMap((x) => signed(8, x)), ...whole(20, ATTRIBUTE_TYPES.ints)];
}

/** Negative numbers are written as 64-bit two's complement: -1 is nine bytes of ones and one bit. */
function signed(field: number, value: number): Message {
  if (value >= 0) return whole(field, value);
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  const [key] = whole(field, 0);
  return [key, Uint8Array.of(...out, Number(rest))];
}

function valueInfo(name: string, type: 'float' | 'int64', shape: readonly Dimension[]): Message {
  const dimensions = shape.flatMap((n) => message(1, typeof n === 'number' ? whole(1, n) : text(2, n)));
  const tensor = [...whole(1, type === 'float' ? FLOAT : INT64), ...message(2, dimensions)];
  return [...text(1, name), ...message(2, message(1, tensor))];
}

function littleEndian(numbers: Float32Array): Uint8Array {
  const raw = new Uint8Array(4 * numbers.length);
  const view = new DataView(raw.buffer);
  for (let i = 0; i < numbers.length; i++) view.setFloat32(4 * i, numbers[i], true);
  return raw;
}
