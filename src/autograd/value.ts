/**
 * The lesson: automatic differentiation on single numbers.
 *
 * A network is a long calculation that ends in one number, the loss. Training asks, for every weight: if this number were a
 * little larger, how much would the loss change? That rate is the gradient. To find all of them at once we
 *   1. calculate forwards, and write each operation down on a tape: what came out, what went in, and how sensitive the result is
 *      to each input (its local derivative);
 *   2. read the tape backwards. The loss changes by 1 per unit of itself; every operation hands its own gradient on to its inputs,
 *      multiplied by the local derivative. That is the chain rule, and it is all there is.
 *
 * Refuses to know: vectors, matrices, neural networks. Invariant: a Value is on the tape after everything it was made from.
 */
import { exp, log, pow, tanh } from '../base/math.js';

/** Every calculated Value, in the order of calculation. */
export class Tape {
  #recorded: Value[] = [];

  /** A number that nothing went into: a weight or an input. It stays when the tape is cleared. */
  leaf(data: number): Value {
    return new Value(this, data, null, 0, null, 0, -1);
  }

  /** Writes down one operation: its result, and each input with the rate at which the result follows that input. */
  record(data: number, a: Value, da: number, b: Value | null = null, db = 0): Value {
    const value = new Value(this, data, a, da, b, db, this.#recorded.length);
    this.#recorded.push(value);
    return value;
  }

  /** Adds to the `grad` of every Value that `end` was calculated from: how fast `end` changes with it. No recursion, any length. */
  backward(end: Value): void {
    end.grad = 1;
    for (let i = end.place; i >= 0; i--) {
      const value = this.#recorded[i];
      if (value.grad === 0) continue; // nothing that matters came of it
      value.a!.grad += value.da * value.grad;
      if (value.b !== null) value.b.grad += value.db * value.grad;
    }
  }

  /** Forgets all operations, for the next step. */
  clear(): void {
    this.#recorded = [];
  }

  get length(): number {
    return this.#recorded.length;
  }
}

/** A number that knows what it was calculated from. */
export class Value {
  data: number;
  /** How fast the end of the calculation changes with this number; filled in by `backward()`. */
  grad = 0;
  readonly tape: Tape;
  /** The inputs, and the local derivative for each. */
  readonly a: Value | null;
  readonly da: number;
  readonly b: Value | null;
  readonly db: number;
  /** Index on the tape, −1 for a leaf. */
  readonly place: number;

  constructor(tape: Tape, data: number, a: Value | null, da: number, b: Value | null, db: number, place: number) {
    this.tape = tape;
    this.data = data;
    this.a = a;
    this.da = da;
    this.b = b;
    this.db = db;
    this.place = place;
  }

  /** x + y: the sum follows each of them one to one. */
  add(y: Value | number): Value {
    if (typeof y === 'number') return this.tape.record(this.data + y, this, 1);
    return this.tape.record(this.data + y.data, this, 1, y, 1);
  }

  /** x·y: the more y there is, the faster the product follows x, and the other way round. */
  mul(y: Value | number): Value {
    if (typeof y === 'number') return this.tape.record(this.data * y, this, y);
    return this.tape.record(this.data * y.data, this, y.data, y, this.data);
  }

  /** x^n for a fixed n: the rate is n·x^(n−1). */
  pow(n: number): Value {
    return this.tape.record(power(this.data, n), this, n * power(this.data, n - 1));
  }

  /** e^x is its own rate. */
  exp(): Value {
    const y = exp(this.data);
    return this.tape.record(y, this, y);
  }

  /** Natural logarithm: the rate is 1/x. */
  log(): Value {
    return this.tape.record(log(this.data), this, 1 / this.data);
  }

  /** max(x, 0): follows x where it is positive, and stands still elsewhere. */
  relu(): Value {
    return this.tape.record(Math.max(0, this.data), this, this.data > 0 ? 1 : 0);
  }

  /** Hyperbolic tangent: the rate is 1 − tanh². */
  tanh(): Value {
    const y = tanh(this.data);
    return this.tape.record(y, this, 1 - y * y);
  }

  // The rest is made of the above.

  neg(): Value {
    return this.mul(-1);
  }

  sub(y: Value | number): Value {
    return typeof y === 'number' ? this.add(-y) : this.add(y.neg());
  }

  div(y: Value | number): Value {
    return typeof y === 'number' ? this.mul(1 / y) : this.mul(y.pow(-1));
  }

  /** Fills in the gradients of everything this Value was calculated from. */
  backward(): void {
    this.tape.backward(this);
  }
}

/** x^n; the exponents that networks use need no logarithm. */
function power(x: number, n: number): number {
  switch (n) {
    case 2:
      return x * x;
    case 1:
      return x;
    case 0:
      return 1;
    case -1:
      return 1 / x;
    case -0.5:
      return 1 / Math.sqrt(x);
    case 0.5:
      return Math.sqrt(x);
    default:
      return Number.isInteger(n) && x < 0 ? (n % 2 === 0 ? 1 : -1) * pow(-x, n) : pow(x, n);
  }
}
