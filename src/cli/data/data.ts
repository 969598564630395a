/**
 * microgpt data: texts to train on.
 */
import { Argument, type Command } from 'commander';
import { DOWNLOADS, fetchCorpus } from '../../node/corpora.js';
import { result, say } from '../output.js';
import { webAddress } from '../values.js';
import { addInspect } from './inspect.js';

export function addData(program: Command): void {
  const data = program
    .command('data')
    .summary('get texts to train on, and look at them')
    .description('Gets well-known texts to train on, and says what is in a text.');
  addInspect(data);
  data
    .command('fetch')
    .summary('download a text once')
    .description('Downloads a text, checks that it is the expected one, keeps it in a cache and prints its path.')
    .addArgument(new Argument('<name>', 'which').choices(DOWNLOADS.map((d) => d.name)))
    .option('--from <url>', 'another http(s) address that serves the same file', webAddress('--from'))
    .addHelpText(
      'after',
      `
Texts:
${DOWNLOADS.map((d) => `  ${d.name.padEnd(13)}${d.about}`).join('\n')}

Example:
  microgpt train names --data "$(microgpt data fetch names)"`,
    )
    .action(async (name: string, flags: { readonly from?: string }) => {
      const download = DOWNLOADS.find((d) => d.name === name)!;
      const { path, cached, sha256 } = await fetchCorpus(download, { url: flags.from });
      say(`${cached ? 'already there' : `downloaded ${download.about}`}, sha256 ${sha256.slice(0, 12)}…`);
      result(path);
    });
}
