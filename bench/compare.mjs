// microgpt against what the npm registry has for the same job: training a GPT outside a GPU without a native build. One run, one process,
// one thread each; the same weights, batch and optimizer. Checks first: the losses of the first three steps (so gradients and updates, too)
// must agree with ours, else a package is not timed. What cannot run is listed with the reason.
//   node bench/compare.mjs [--rounds N] [--save]      after npm run build, and npm ci --ignore-scripts in bench/compare/
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { jobs } from './compare/sizes.mjs';

const { values: flags } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, save: { type: 'boolean', default: false } },
});
const CONTESTANTS = {
  microgpt: { file: 'ours.mjs', package: '../../package.json' },
  'TensorFlow.js, wasm': { file: 'tfjs.mjs', package: 'node_modules/@tensorflow/tfjs/package.json' },
  'jax-js, wasm': { file: 'jax.mjs', package: 'node_modules/@jax-js/jax/package.json' },
};
const CHECKED_STEPS = 3;
const TOLERANCE = 1e-4; // of each loss, relative
const ROUND_MS = 3000;

const results = [];
for (const job of jobs()) {
  console.log(`\n${job.name} (${job.table.total.toLocaleString('en')} parameters)`);
  const running = [];
  let expected = null;
  for (const [name, { file, package: path }] of Object.entries(CONTESTANTS)) {
    const entry = { work: job.name, name, version: null, secondsPerStep: null, tokensPerSecond: null, failed: null };
    results.push(entry);
    try {
      entry.version = JSON.parse(readFileSync(new URL(`compare/${path}`, import.meta.url), 'utf8')).version;
      const { open } = await import(`./compare/${file}`);
      const opened = await open(job);
      const losses = [];
      for (let i = 0; i < CHECKED_STEPS; i++) losses.push(await opened.step());
      expected ??= losses;
      const apart = Math.max(...losses.map((loss, i) => Math.abs(loss - expected[i]) / expected[i]));
      if (!(apart <= TOLERANCE))
        throw new Error(`its losses ${losses.join(', ')} are not ours, ${expected.join(', ')}`);
      entry.check = { losses, apart: Number(apart.toExponential(1)) };
      running.push({ entry, opened });
    } catch (error) {
      entry.failed =
        error.code === 'ENOENT' ? 'not installed: npm ci --ignore-scripts in bench/compare/' : error.message;
    }
  }
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const { entry, opened } of running) {
      const end = performance.now() + ROUND_MS;
      do {
        const start = performance.now();
        await opened.step();
        const seconds = (performance.now() - start) / 1000;
        entry.secondsPerStep = Math.min(entry.secondsPerStep ?? seconds, seconds);
      } while (performance.now() < end);
    }
  }
  for (const { opened } of running) await opened.close();
  const ours = results.find((r) => r.work === job.name && r.name === 'microgpt');
  for (const entry of results.filter((r) => r.work === job.name)) {
    const label = `${entry.name} ${entry.version ?? ''}`.padEnd(30);
    if (entry.failed !== null) {
      console.log(`${label} did not run: ${entry.failed}`);
      continue;
    }
    entry.tokensPerSecond = Math.round(job.batch.tokens.length / entry.secondsPerStep);
    entry.oursIsFasterBy = Number((entry.secondsPerStep / ours.secondsPerStep).toFixed(2));
    const { losses, apart } = entry.check;
    console.log(
      `${label} ${entry.tokensPerSecond.toLocaleString('en').padStart(8)} tokens/s  ours is ${entry.oursIsFasterBy} × as fast` +
        `  (first loss ${losses[0].toFixed(5)}, 3 steps within ${apart.toExponential(1)})`,
    );
  }
}
if (flags.save) {
  const result = {
    what: `training step, one thread, best single step in ${flags.rounds} interleaved rounds of ${ROUND_MS / 1000} s; losses of the first ${CHECKED_STEPS} steps agree; ports of the model by us`,
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cpu: cpus()[0]?.model,
    results,
  };
  writeFileSync(new URL('results/compare.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}
process.exit(0); // a package may have left threads running
