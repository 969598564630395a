// Kills the process it is loaded into (node --import) at its k-th call that changes the disk: just before the call, or while the system works
// on it. What a kill -9 can leave behind depends on nothing else, so a number in place of a moment makes the test the same on any machine.
//   MG_KILL_AT=k   MG_KILL_DURING=1
import fs from 'node:fs';
import { promisify } from 'node:util';

const at = Number(process.env.MG_KILL_AT);
const during = process.env.MG_KILL_DURING === '1';
let calls = 0;

/** @param {(...args: never[]) => Promise<unknown>} call */
const counted =
  (call) =>
  (...args) => {
    calls++;
    if (calls < at) return call(...args);
    if (during) call(...args);
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => undefined);
  };

for (const name of ['write', 'ftruncate', 'fsync']) {
  const call = promisify(fs[name]);
  const plain = fs[name];
  fs[name] = (...args) => plain(...args);
  fs[name][promisify.custom] = counted(call);
}
for (const name of ['rename', 'unlink', 'mkdir']) fs.promises[name] = counted(fs.promises[name].bind(fs.promises));
