/**
 * microgpt serve: the flags. What they start is in serve-run.ts, which is loaded only when the command runs.
 */
import type { Command } from 'commander';
import { ACTIVATIONS } from '../../model/config.js';
import { alias, oneOf, path, whole } from '../values.js';
import type { ServeFlags } from './run.js';

export function addServe(program: Command, exit: (code: number) => void): void {
  const several = (value: string, before: readonly string[] = []) => [...before, value];
  const command = program
    .command('serve')
    .summary('answer over HTTP, as the OpenAI API does')
    .description(
      'Answers over HTTP: the OpenAI API under /v1, the API of the earlier server under /microgpt/v1, a status page at /. Prints the address.',
    )
    .option('-m, --model <[name=]path>', 'a model to serve; may be given several times (default: see below)', several)
    .option('-p, --port <n>', '0 for any that is free (default: PORT, or 8080)', whole('--port', 0, 65_535))
    .option('--host <address>', 'the address to listen at', '127.0.0.1')
    .option(
      '--api-key-file <file>',
      'a file with keys, one a line; MICROGPT_API_KEY holds one as well',
      path('--api-key-file'),
    )
    .option('--insecure-no-key', 'listen at an address that others reach although no key is needed')
    .option('--allow-host <host:port>', 'another Host that requests may name; may be given several times', several)
    .option('--allow-origin <origin>', 'pages of this origin may ask; may be given several times', several)
    .option('--max-active <n>', 'requests that are answered at once (default: 32)', whole('--max-active', 1, 4096))
    .option('--max-queued <n>', 'requests that may wait (default: 64)', whole('--max-queued', 0, 65_536))
    .option('--drain <seconds>', 'how long SIGTERM lets answers come to their end', whole('--drain', 0, 3600), 20)
    .option('--faults', 'requests may ask for errors with the header x-microgpt-fault')
    .option('--script <file>', 'answers by rule, for tests of clients: a JSON list', path('--script'))
    .option('--quiet', 'no line per request')
    .option(
      '--activation <name>',
      `for files that do not say theirs: ${ACTIVATIONS.join(', ')}`,
      oneOf('--activation', ACTIVATIONS),
    )
    .addHelpText(
      'after',
      `
Without --model: MODEL_DIR where it is set, else every model in ./models, else the models that come with microgpt.
Each request becomes a line of JSON on stderr, without its text.

Examples:
  microgpt serve
  microgpt serve --model names=models/names --model chat=models/chat --port 0
  MICROGPT_API_KEY=… microgpt serve --host 0.0.0.0`,
    )
    .action(async (flags: ServeFlags) => {
      const { runServe } = await import('./run.js');
      exit(await runServe(flags));
    });
  alias(command, '--model', '--model-dir');
}
