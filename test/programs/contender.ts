/**
 * Wants a run folder whenever told to: run as a process of its own. Argument: folder. Reads lines: `go` tries to take it and answers `got`
 * or the code of the refusal; `leave` lets go and answers `left`.
 */
import { createInterface } from 'node:readline';
import { MicrogptError } from '../../dist/base/errors.js';
import { openRun, type Run } from '../../dist/node/runs.js';

const folder = process.argv[2];
const tell = (line: string) => process.stdout.write(`${line}\n`);
let run: Run | null = null;
tell('here');
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'go') {
    try {
      run = await openRun(folder, { resume: true });
      tell('got');
    } catch (error) {
      tell(error instanceof MicrogptError ? `${error.code}: ${error.message}` : String(error));
    }
  } else {
    await run?.close();
    run = null;
    tell('left');
  }
}
