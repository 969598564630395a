// The playground against Node on this machine: first load, time to the first samples, and training speed. Checks first (the same weights).
//   node bench/playground.mjs [--save]     after npm run playground and npm run test:full (which installs playwright-core); needs Chromium
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { corpusFromText, createTraining } from '../dist/index.js';
import { playgroundFiles, serveFiles } from '../dist/node/playground.js';
import { nodeThreads } from '../dist/node/threads.js';
import { chromium } from '../test/full/node_modules/playwright-core/index.mjs';

const ROUNDS = 3;
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** What is trained: as the page's address says it, and as the library takes it. */
const JOBS = [
  { name: 'names, classic', dial: 0, steps: 1000, recipe: 'canonical', seconds: undefined, heldOut: 0, threads: 1 },
  { name: 'names, quick', dial: 1, steps: 3900, recipe: 'standard', seconds: 2, heldOut: 0.1, threads: 1 },
  { name: 'names, good', dial: 2, steps: 600, recipe: 'standard', seconds: 20, heldOut: 0.1, threads: cpus().length },
];
const names = readFileSync(new URL('../datasets/names.txt', import.meta.url));
const hash = (parameters) =>
  createHash('sha256')
    .update(new Uint8Array(Float32Array.from(parameters).buffer))
    .digest('hex');

async function inNode({ recipe, seconds, steps, heldOut, threads }) {
  const corpus = corpusFromText(names, { format: 'lines', heldOut });
  const options = { corpus, recipe, seconds, steps, seed: 42 };
  const training = createTraining(threads > 1 ? { ...options, threads: nodeThreads(threads) } : options);
  const start = performance.now();
  for await (const _ of training.events());
  const took = (performance.now() - start) / 1000;
  const bits = hash(training.engine.parameters());
  training.close();
  return { took, bits };
}

async function inPage(browser, address, { dial, steps }) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const loaded = [];
  page.on('response', (response) =>
    loaded.push(
      response.body().then(
        (b) => b.length,
        () => 0,
      ),
    ),
  );
  const start = performance.now();
  await page.goto(`${address}#train?text=names&dial=${dial}&seed=42&steps=${steps}`);
  await page.locator('.samples li').first().waitFor();
  const firstSample = (performance.now() - start) / 1000;
  const bytes = (await Promise.all(loaded)).reduce((a, b) => a + b, 0);
  const ready = page.locator('[data-hash]:not([data-hash=""])');
  await ready.waitFor();
  const times = [];
  let bits = '';
  // In one page, as all rounds in Node are in one process: the first one also compiles.
  for (let round = 0; round < ROUNDS; round++) {
    const run = Number(await page.locator('[data-run]').getAttribute('data-run')) + (round === 0 ? 0 : 1);
    await page.getByRole('button', { name: round === 0 ? 'Start' : 'Train again' }).click();
    await page.locator(`[data-run="${run}"][data-state="done"]`).waitFor({ timeout: 300_000 });
    await ready.waitFor();
    const [, number, unit] = /Done after ([\d.]+) (ms|s)$/.exec(await page.locator('.status').textContent()) ?? [];
    times.push(Number(number) / (unit === 'ms' ? 1000 : 1));
    bits = await page.locator('[data-hash]').getAttribute('data-hash');
  }
  await context.close();
  return { took: Math.min(...times), bits, firstSample, bytes };
}

const server = await serveFiles(await playgroundFiles(), { port: 0 });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
const address = `http://127.0.0.1:${server.port}/`;
const result = {
  node: process.version,
  chromium: browser.version(),
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  jobs: {},
};
for (const job of JOBS) {
  const node = [];
  for (let round = 0; round < ROUNDS; round++) node.push(await inNode(job));
  const page = await inPage(browser, address, job);
  if (node.some(({ bits }) => bits !== page.bits))
    throw new Error(`${job.name}: other weights in the page than in Node`);
  const best = { node: Math.min(...node.map(({ took }) => took)), page: page.took };
  result.jobs[job.name] = {
    stepsPerSecondInNode: Math.round(job.steps / best.node),
    stepsPerSecondInPage: Math.round(job.steps / best.page),
    share: Number((best.node / best.page).toFixed(2)),
  };
  result.firstLoadBytes = page.bytes;
  result.firstSampleSeconds = Number(Math.min(result.firstSampleSeconds ?? Infinity, page.firstSample).toFixed(2));
}
await browser.close();
await server.close();
console.log(JSON.stringify(result, null, 2));
if (process.argv.includes('--save')) {
  writeFileSync(new URL('results/playground.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}
