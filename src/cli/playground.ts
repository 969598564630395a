/**
 * microgpt playground: serves the page in which a model is trained, looked at and used, to this machine.
 */
import type { Command } from 'commander';
import { MicrogptError } from '../base/errors.js';
import { playgroundFiles, serveFiles } from '../node/playground.js';
import { result, say } from './output.js';
import { listenForSignals } from './signals.js';
import { whole } from './values.js';

const PORT = 8642;

export function addPlayground(program: Command, exit: (code: number) => void): void {
  program
    .command('playground')
    .summary('train, watch and use a model in the browser')
    .description(
      'Serves a page in which a model is trained, looked at and used, to the browsers of this machine. The page computes by itself and sends nothing.',
    )
    .option('--port <n>', 'the port to listen on; 0 takes a free one', whole('--port', 0, 65_535), PORT)
    .addHelpText(
      'after',
      `
Examples:
  microgpt playground              then open http://localhost:${PORT}/
  microgpt playground --port 0     on any free port

In a clone it has to be built once: npm run playground. Ctrl-C ends it.`,
    )
    .action(async ({ port }: { readonly port: number }) => exit(await playground(port)));
}

async function playground(port: number): Promise<number> {
  const server = await serveFiles(await playgroundFiles(), { port }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error;
    const why = error.code === 'EACCES' ? 'may not be used' : 'is in use';
    throw new MicrogptError(
      'MG_CLI_VALUE',
      `port ${port} ${why}`,
      'give another one, or --port 0 for any that is free',
    );
  });
  const signals = listenForSignals(() => {});
  result(`http://localhost:${server.port}/`);
  say('open this address in a browser; Ctrl-C ends it');
  await new Promise<void>((resolve) => signals.signal.addEventListener('abort', () => resolve()));
  await server.close();
  signals.forget();
  return 0;
}
