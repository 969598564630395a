// npm test, and `npm run test:full` (= this file with "full"): sets up a fresh clone and runs the tests.
// Further arguments go to vitest, e.g. `npm test -- tape`.
import { install, root, run, setUp } from './setup.mjs';

const args = process.argv.slice(2);
const full = args[0] === 'full';
if (full) args.shift();

setUp();
if (full) {
  run(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, '-p', 'tsconfig.json']);
  install(`${root}/test/full`);
  install(`${root}/test/nodes`);
  install(`${root}/test/onnx`);
  install(`${root}/test/safetensors`);
  install(`${root}/test/clients`);
  install(`${root}/kernels`);
  run(process.execPath, ['scripts/lint.mjs']);
}
run(process.execPath, [`${root}/node_modules/vitest/vitest.mjs`, 'run', ...args], {
  stdio: 'inherit',
  env: { ...process.env, ...(full ? { MICROGPT_TEST_TIER: 'full' } : {}) },
});
