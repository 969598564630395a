// Loaded into `microgpt train` processes (node --import): once the first checkpoint is in its place, whoever started the process gets a Ctrl-C,
// and the run goes no further before it has been told to stop. So the stop comes after the same step on any machine.
import fs from 'node:fs';

const rename = fs.promises.rename.bind(fs.promises);
let asked = !process.argv.includes('train');

fs.promises.rename = async (from, to) => {
  await rename(from, to);
  if (asked || !/[\\/]checkpoints[\\/]step-\d+\.safetensors$/.test(String(to))) return;
  asked = true;
  const awake = setInterval(() => undefined, 1000); // what waits for a signal alone would end
  const told = new Promise((resolve) => process.once('SIGTERM', resolve));
  process.kill(process.ppid, 'SIGINT');
  await told;
  clearInterval(awake);
};
