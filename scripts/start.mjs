// npm start: sets up a fresh clone and runs the main job, `microgpt train names`. Further arguments go to `train`.
import { spawnSync } from 'node:child_process';
import { root, setUp } from './setup.mjs';

setUp();
const result = spawnSync(process.execPath, [`${root}/bin/microgpt.js`, 'train', 'names', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
// What it printed speaks of `microgpt`, which nobody has installed here.
if (result.status === 0) console.error('in this clone, microgpt is: node bin/microgpt.js');
process.exit(result.status ?? 1);
