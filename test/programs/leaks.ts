/**
 * What stays behind after many generations and many engines: run as a process of its own with --expose-gc.
 * Arguments: generations, engines, and `closed` or, as a control, `open`: then nothing is closed, and all must be seen to stay behind.
 * Prints one line of JSON: what there was after warming up, and at the end.
 */
import { readdirSync } from 'node:fs';
import type { Checkpoint } from '../../dist/checkpoint/checkpoint.js';
import { collate } from '../../dist/data/batches.js';
import { createEngine } from '../../dist/engine/create-engine.js';
import type { Engine } from '../../dist/engine/engine.js';
import { generate, sampleTexts } from '../../dist/engine/text.js';
import { counterDraw } from '../../dist/generate/sampler.js';
import { modelConfig } from '../../dist/model/config.js';
import { parameterTable } from '../../dist/model/parameters.js';
import { nodeThreads } from '../../dist/node/threads.js';
import { charTokenizerFrom } from '../../dist/tokenizer/char.js';
import { plainStep } from '../../dist/train/learner.js';

export interface State {
  /** Bytes of JavaScript objects. */
  readonly heap: number;
  /** Wasm memories that are alive, and their pages together. */
  readonly memories: number;
  readonly pages: number;
  /** Threads and open files of this process; null where the system does not list them. */
  readonly threads: number | null;
  readonly files: number | null;
}

export interface Leaks {
  /** Generations on an engine that stays open: before them, and after. */
  readonly generating: readonly [State, State];
  /** Engines opened and closed, and generations each with an engine of its own. */
  readonly opening: readonly [State, State];
}

interface WasmMemory {
  readonly buffer: ArrayBuffer;
}
const host = (globalThis as unknown as { WebAssembly: { Memory: new (limits: object) => WasmMemory } }).WebAssembly;
let memories: WeakRef<WasmMemory>[] = [];
host.Memory = class extends host.Memory {
  constructor(limits: object) {
    super(limits);
    memories.push(new WeakRef<WasmMemory>(this));
  }
};

const [generations, engines] = process.argv.slice(2, 4).map(Number);
const closed = process.argv[4] === 'closed';
const keptOpen: Engine[] = [];

function list(folder: string): number | null {
  try {
    return readdirSync(folder).length;
  } catch {
    return null;
  }
}

/** A WeakRef keeps its object until the event loop turns, so it must turn now and then. */
async function turn(i: number): Promise<void> {
  if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits until threads have ended (their number has stayed the same for a while), and gives objects several turns of the event loop to go. */
async function collect(): Promise<void> {
  let threads = list('/proc/self/task');
  for (let same = 0, all = 0; same < 10 && all < 2000; same++, all++) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    (globalThis as unknown as { gc(): void }).gc();
    const now = list('/proc/self/task');
    if (now !== threads) same = 0;
    threads = now;
  }
}

async function state(): Promise<State> {
  await collect();
  memories = memories.filter((memory) => memory.deref() !== undefined);
  await collect(); // looking at them kept them alive, and the list of all was garbage itself
  const pages = memories.map((memory) => (memory.deref()?.buffer.byteLength ?? 0) / 65536);
  return {
    heap: process.memoryUsage().heapUsed,
    memories: memories.length,
    pages: pages.reduce((a, b) => a + b, 0),
    threads: list('/proc/self/task'),
    files: list('/proc/self/fd'),
  };
}

function model(nEmbd: number): Checkpoint {
  const tokenizer = charTokenizerFrom(['abcdefghijklmnopqrstuvwxyz'], 'last');
  const config = modelConfig({ nEmbd, vocabSize: tokenizer.size });
  const parameters = new Float64Array(parameterTable(config).total).map((_, i) => ((i * 7919) % 97) / 400 - 0.12);
  return { config, tokenizer, parameters };
}

const small = model(16);
const large = model(64);
const batch = collate(
  Array.from({ length: 32 }, (_, b) => Int32Array.from({ length: 17 }, (_, t) => (b * 5 + t * 3) % 27)),
  16,
);
const hyper = Float64Array.of(0.01, 0.9, 0.99, 1e-8, 0, 0.1, 0.01);

/** A step of training and a sample, on one to four threads; every sixth in the way of a whole small generation. */
function openAndClose(i: number): void {
  if (i % 6 === 5) generate(small, { seed: i, samples: 3 });
  const count = [1, 2, 1, 4][i % 4];
  const { config, parameters } = large;
  const engine = createEngine('wasm', config, parameters, count > 1 ? { threads: nodeThreads(count) } : {});
  engine.trainStep([batch], plainStep(hyper));
  sampleTexts(engine.decoder(), large, counterDraw(i), {});
  if (closed) engine.close();
  else keptOpen.push(engine);
}

function generateWith(engine: Engine, i: number): void {
  const decoder = engine.decoder(1 + (i % 3));
  sampleTexts(decoder, small, counterDraw(i), { samples: 2 });
  if (closed) decoder.close();
}

const engine = createEngine('wasm', small.config, small.parameters);
for (let i = 0; i < 100; i++) generateWith(engine, i);
const generating: State[] = [await state()];
for (let i = 0; i < generations; i++) {
  generateWith(engine, i);
  await turn(i);
}
generating.push(await state());
engine.close();

for (let i = 0; i < 6; i++) openAndClose(i);
const opening: State[] = [await state()];
for (let i = 0; i < engines; i++) {
  openAndClose(i);
  await turn(i);
}
for (let i = 0; i < generations; i++) {
  generate(small, { seed: i });
  await turn(i);
}
opening.push(await state());
console.log(JSON.stringify({ generating, opening }));
process.exit(0);
