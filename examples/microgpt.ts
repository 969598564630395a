/**
 * The complete algorithm of a GPT in one file: data, tokenizer, automatic differentiation, model, training, samples.
 * Nothing is imported but Node's own file reader. Everything else in this project makes the same thing faster and safer.
 *
 *   node examples/microgpt.ts [text file] [steps]        (Node 22.18 or newer; on Node 20: node dist/examples/microgpt.js)
 *
 * On the well-known names.txt it prints the same losses and the same 20 names as the canonical Python program: chance comes from
 * the same generator, in the same order (shuffle, weights, samples).
 */
import { readFileSync } from 'node:fs';

// ---- Chance: the Mersenne Twister, as Python's `random` module seeds and uses it -------------------------------------------

const twister = new Uint32Array(624);
let place = 624;
function seedTwister(seed: number): void {
  twister[0] = 19650218;
  for (let i = 1; i < 624; i++) twister[i] = Math.imul(1812433253, twister[i - 1] ^ (twister[i - 1] >>> 30)) + i;
  let i = 1;
  for (let round = 0; round < 624 + 623; round++) {
    const before = twister[i - 1] ^ (twister[i - 1] >>> 30);
    if (round < 624) twister[i] = (twister[i] ^ Math.imul(before, 1664525)) + seed;
    else twister[i] = (twister[i] ^ Math.imul(before, 1566083941)) - i;
    if (++i === 624) [twister[0], i] = [twister[623], 1];
  }
  twister[0] = 0x80000000;
}

function random32(): number {
  if (place === 624) {
    for (let i = 0; i < 624; i++) {
      const y = (twister[i] & 0x80000000) | (twister[(i + 1) % 624] & 0x7fffffff);
      twister[i] = twister[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    place = 0;
  }
  let y = twister[place++];
  y ^= y >>> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return (y ^ (y >>> 18)) >>> 0;
}

/** Uniform in [0, 1). */
const random = (): number => ((random32() >>> 5) * 67108864 + (random32() >>> 6)) / 9007199254740992;

function randomBelow(n: number): number {
  const shift = Math.clz32(n);
  let r = random32() >>> shift;
  while (r >= n) r = random32() >>> shift;
  return r;
}

let spare: [number, number] | null = null;
/** Normally distributed; the Box–Muller formula gives two at a time. */
function gauss(standardDeviation: number): number {
  const [angle, radius] = spare ?? [random() * 2 * Math.PI, Math.sqrt(-2 * Math.log(1 - random()))];
  const z = spare === null ? Math.cos(angle) : Math.sin(angle);
  spare = spare === null ? [angle, radius] : null;
  return z * radius * standardDeviation;
}

// ---- Data: one document per line, shuffled; tokens are its characters, and one special token that begins and ends it --------

seedTwister(42);
const home = import.meta.url.endsWith('.js') ? '../..' : '..'; // the compiled copy lies one folder deeper
const file = process.argv[2] ?? new URL(`${home}/datasets/names.txt`, import.meta.url);
const lines = readFileSync(file, 'utf8').split('\n');
const documents = lines.map((line) => line.trim()).filter((line) => line !== '');
for (let i = documents.length - 1; i > 0; i--) {
  const j = randomBelow(i + 1);
  [documents[i], documents[j]] = [documents[j], documents[i]];
}

const characters = [...new Set(documents.flatMap((document) => [...document]))].sort();
const BOS = characters.length;
const vocabSize = characters.length + 1;

// ---- Autograd: every number remembers what it was made of, and how fast it follows each of those -----------------------------

let tape: Value[] = [];
class Value {
  data: number;
  grad = 0; // how fast the loss follows this number
  inputs: Value[];
  rates: number[]; // how fast this number follows each input

  constructor(data: number, inputs: Value[] = [], rates: number[] = []) {
    this.data = data;
    this.inputs = inputs;
    this.rates = rates;
    if (inputs.length > 0) tape.push(this);
  }

  add(y: Value): Value {
    return new Value(this.data + y.data, [this, y], [1, 1]);
  }
  mul(y: Value): Value {
    return new Value(this.data * y.data, [this, y], [y.data, this.data]);
  }
  plus(c: number): Value {
    return new Value(this.data + c, [this], [1]);
  }
  times(c: number): Value {
    return new Value(this.data * c, [this], [c]);
  }
  pow(n: number): Value {
    return new Value(this.data ** n, [this], [n * this.data ** (n - 1)]);
  }
  log(): Value {
    return new Value(Math.log(this.data), [this], [1 / this.data]);
  }
  exp(): Value {
    const y = Math.exp(this.data);
    return new Value(y, [this], [y]);
  }
  relu(): Value {
    return new Value(Math.max(0, this.data), [this], [this.data > 0 ? 1 : 0]);
  }

  /** The chain rule: from the end of the tape to its start, every number passes its gradient on to its inputs. */
  backward(): void {
    this.grad = 1;
    for (let i = tape.length - 1; i >= 0; i--) {
      const { grad, inputs, rates } = tape[i];
      for (let k = 0; k < inputs.length; k++) inputs[k].grad += rates[k] * grad;
    }
  }
}

// ---- Model: what it knows lies in these matrices, drawn at random to begin with ----------------------------------------------

const [width, heads, layers, context] = [16, 4, 1, 16];
const headSize = width / heads;

const weights: Record<string, Value[][]> = {};
function addMatrix(name: string, rows: number, columns: number): void {
  weights[name] = Array.from({ length: rows }, () => Array.from({ length: columns }, () => new Value(gauss(0.08))));
}
addMatrix('tokens', vocabSize, width);
addMatrix('positions', context, width);
addMatrix('output', vocabSize, width);
for (let layer = 0; layer < layers; layer++) {
  for (const name of ['query', 'key', 'value', 'mix']) addMatrix(name + layer, width, width);
  addMatrix(`widen${layer}`, 4 * width, width);
  addMatrix(`narrow${layer}`, width, 4 * width);
}
const parameters = Object.values(weights).flat(2);
console.log(`${documents.length} documents, ${vocabSize} tokens, ${parameters.length} parameters`);

const total = (x: Value[]): Value => x.reduce((sum, xi) => sum.add(xi));
const dot = (x: Value[], y: Value[]): Value => total(x.map((xi, i) => xi.mul(y[i])));
const addAll = (x: Value[], y: Value[]): Value[] => x.map((xi, i) => xi.add(y[i]));
const linear = (matrix: Value[][], x: Value[]): Value[] => matrix.map((row) => dot(row, x));

/** Scores → probabilities. */
function softmax(scores: Value[]): Value[] {
  const largest = Math.max(...scores.map((s) => s.data));
  const exps = scores.map((s) => s.plus(-largest).exp());
  const scale = total(exps).pow(-1);
  return exps.map((e) => e.mul(scale));
}

/** Scales a vector to unit size. */
function normalise(x: Value[]): Value[] {
  const scale = dot(x, x)
    .times(1 / x.length)
    .plus(1e-5)
    .pow(-0.5);
  return x.map((xi) => xi.mul(scale));
}

/** Reads one token at one position and scores every possible next token. `keys` and `values` are its memory of those before. */
function gpt(token: number, position: number, keys: Value[][][], values: Value[][][]): Value[] {
  let x = normalise(addAll(weights['tokens'][token], weights['positions'][position]));
  for (let layer = 0; layer < layers; layer++) {
    // Attention: look back over the sequence, each head at what it finds relevant.
    let y = normalise(x);
    const query = linear(weights[`query${layer}`], y);
    keys[layer].push(linear(weights[`key${layer}`], y));
    values[layer].push(linear(weights[`value${layer}`], y));
    const seen: Value[] = [];
    for (let start = 0; start < width; start += headSize) {
      const part = (v: Value[]) => v.slice(start, start + headSize);
      const q = part(query);
      const shares = softmax(keys[layer].map((k) => dot(q, part(k)).times(1 / Math.sqrt(headSize))));
      for (let i = start; i < start + headSize; i++) seen.push(total(shares.map((p, t) => p.mul(values[layer][t][i]))));
    }
    x = addAll(x, linear(weights[`mix${layer}`], seen));

    // Perceptron: think about what was seen.
    y = linear(weights[`widen${layer}`], normalise(x)).map((h) => h.relu());
    x = addAll(x, linear(weights[`narrow${layer}`], y));
  }
  return linear(weights['output'], x);
}

const memory = (): Value[][][] => Array.from({ length: layers }, () => []);

// ---- Training: one document a step; nudge every weight against its gradient (Adam) --------------------------------------------

const steps = Number(process.argv[3] ?? 1000);
const [learningRate, beta1, beta2] = [0.01, 0.85, 0.99];
const [mean, square] = [0, 0].map(() => new Float64Array(parameters.length));

for (let step = 0; step < steps; step++) {
  const document = [...documents[step % documents.length]].map((c) => characters.indexOf(c));
  const tokens = [BOS, ...document, BOS];
  const n = Math.min(context, tokens.length - 1);
  const [keys, values, losses]: [Value[][][], Value[][][], Value[]] = [memory(), memory(), []];
  for (let position = 0; position < n; position++) {
    const probabilities = softmax(gpt(tokens[position], position, keys, values));
    losses.push(probabilities[tokens[position + 1]].log().times(-1));
  }
  const loss = total(losses).times(1 / n);
  loss.backward();

  const rate = learningRate * (1 - step / steps);
  parameters.forEach((p, i) => {
    mean[i] = beta1 * mean[i] + (1 - beta1) * p.grad;
    square[i] = beta2 * square[i] + (1 - beta2) * p.grad ** 2;
    const size = Math.sqrt(square[i] / (1 - beta2 ** (step + 1)));
    p.data -= (rate * (mean[i] / (1 - beta1 ** (step + 1)))) / (size + 1e-8);
    p.grad = 0;
  });
  tape = [];
  if ((step + 1) % 50 === 0 || step === 0) console.log(`step ${step + 1}/${steps}  loss ${loss.data.toFixed(4)}`);
}

// ---- Samples: begin with BOS, draw the next token by its probability, until BOS comes again ------------------------------------

const temperature = 0.5;
for (let sample = 1; sample <= 20; sample++) {
  const [keys, values] = [memory(), memory()];
  let [token, text] = [BOS, ''];
  for (let position = 0; position < context; position++) {
    const scores = gpt(token, position, keys, values).map((score) => score.times(1 / temperature));
    let left = random();
    token = 0;
    for (const p of softmax(scores)) {
      left -= p.data;
      if (left < 0) break;
      token++;
    }
    if (token >= BOS) break;
    text += characters[token];
  }
  tape = [];
  console.log(text);
}
