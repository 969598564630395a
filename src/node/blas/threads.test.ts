/**
 * The library's threads and the pool's take turns: while one works the others rest, so together they are never more than asked for.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { testWith } from '../../../test/needs.js';
import { createWasmBackend } from '../../backend/wasm/index.js';
import type { WorkerData } from '../../backend/wasm/pool.js';
import type { Gemm, Product } from '../../backend/wasm/products.js';
import type { Op } from '../../tensor/backend.js';
import { startThread } from '../threads.js';
import { plainGemm } from './gemm.js';
import { openBlas } from './index.js';

const blas = await openBlas({ threads: 1 });
const missing = 'missing' in blas ? blas.missing : process.platform === 'linux' ? null : 'needs /proc';

/** Word 5 of the pool's control block: how long its threads look for more work before they sleep. */
const SPIN = 5;

test('the pool’s threads are told to sleep at once before the library is called, and only then', () => {
  let pool: WorkerData | null = null;
  const threads = {
    count: 2,
    patience: 10_000,
    start: (source: string, data: WorkerData) => {
      pool = data;
      startThread(source, data);
    },
  };
  const spin = (): number => {
    const { memory, control } = pool as unknown as WorkerData;
    return Atomics.load(new Int32Array(memory.buffer, control, 8), SPIN);
  };
  const seen: number[] = [];
  const gemm: Gemm = (...product) => {
    seen.push(spin());
    plainGemm(...product);
  };
  // The smaller product is the kernels' and large enough to be shared, the larger one is the library's.
  const [R, C, wide] = [2048, 64, 96];
  const least = R * C * wide;
  const list = (backend: ReturnType<typeof createWasmBackend>): readonly Op[] => {
    const [x, h] = [backend.alloc([R, C]), backend.alloc([R, C])];
    const [w, u, out] = [backend.alloc([C, C]), backend.alloc([wide, C]), backend.alloc([R, wide])];
    return [
      { op: 'linear', x, w, bias: null, out: h },
      { op: 'linear', x: h, w: u, bias: null, out },
      { op: 'linear', x: h, w, bias: null, out: x },
      { op: 'linear', x, w: u, bias: null, out },
    ];
  };
  const withProducts = createWasmBackend({ threads, products: { gemm, least, leastRows: 0 } });
  withProducts.run(list(withProducts));
  expect(withProducts.sharedRuns()).toBe(1);
  expect(seen).toEqual([0, 0]);
  withProducts.close();

  // A negative control: without a library they look for the next commands for a while.
  const alone = createWasmBackend({ threads });
  alone.run(list(alone));
  expect(alone.sharedRuns()).toBe(1);
  expect(spin()).toBeGreaterThan(1000);
  alone.close();
});

test('OpenBLAS is told to let its threads sleep soon, and a user’s own word stays', async () => {
  const asked = async (): Promise<Record<string, string>> => {
    const package_ = `data:text/javascript,export default { load() { throw new Error(JSON.stringify(process.env)) } } //${Math.random()}`;
    const found = await openBlas({ threads: 1, foreign: package_, libraries: ['any'] });
    return JSON.parse(/\((\{.*\})\)/.exec('missing' in found ? found.missing : '')?.[1] ?? '{}');
  };
  expect(await asked()).toMatchObject({ OPENBLAS_THREAD_TIMEOUT: '4' });
  process.env['OPENBLAS_THREAD_TIMEOUT'] = '20';
  try {
    expect(await asked()).toMatchObject({ OPENBLAS_THREAD_TIMEOUT: '20' });
  } finally {
    delete process.env['OPENBLAS_THREAD_TIMEOUT'];
  }
});

/** Nanoseconds that each thread of this process has computed. */
function computed(): Map<string, number> {
  const tasks = readdirSync('/proc/self/task');
  return new Map(
    tasks.map((task) => [task, Number(readFileSync(`/proc/self/task/${task}/schedstat`, 'utf8').split(' ')[0])]),
  );
}

for (const threads of [1, 2]) {
  testWith(missing, `a large product keeps no more threads busy than it was given: ${threads}`, async () => {
    const opened = await openBlas({ threads });
    if ('missing' in opened) throw new Error(opened.missing);
    const { gemm } = opened.found;
    const n = 1024;
    const product: Product = { m: n, n, k: n, aTransposed: false, bTransposed: true, add: false };
    const [a, b, c] = [1, 2, 3].map((x) => new Float32Array(n * n).fill(x)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    gemm(product, a, b, c);
    const before = computed();
    for (let i = 0; i < 8; i++) gemm(product, a, b, c);
    const spent = [...computed()].map(([task, ns]) => ns - (before.get(task) ?? 0));
    const most = Math.max(...spent);
    const busy = spent.filter((ns) => ns > most / 4).length;
    expect(most).toBeGreaterThan(0);
    expect(busy).toBeGreaterThanOrEqual(1);
    expect(busy).toBeLessThanOrEqual(threads);
  });
}
