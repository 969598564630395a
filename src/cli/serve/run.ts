/**
 * microgpt serve: loads the models, listens, logs, and ends in good order.
 * Invariants: the address goes to stdout when requests are answered, all else to stderr; no key is ever printed.
 */
import { EXIT, MicrogptError } from '../../base/errors.js';
import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import type { ModelConfig } from '../../model/config.js';
import { parameterTable } from '../../model/parameters.js';
import { readFileBounded } from '../../node/files.js';
import { playgroundFolder } from '../../node/playground.js';
import { createWorkerCompute } from '../../node/worker-compute.js';
import type { Rule, Server } from '../../server/index.js';
import { isLoopback, requireLoopback } from '../../server/open-address.js';
import { counted, note, result, say } from '../output.js';
import { servedModels } from './models.js';

export interface ServeFlags {
  readonly model?: readonly string[];
  readonly activation?: ModelConfig['activation'];
  readonly port?: number;
  readonly host: string;
  readonly apiKeyFile?: string;
  readonly insecureNoKey?: true;
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
  readonly maxActive?: number;
  readonly maxQueued?: number;
  readonly drain: number;
  readonly faults?: true;
  readonly script?: string;
  readonly quiet?: true;
}

/** Bytes of a file of keys, of a script. */
const MOST_BYTES = 1_000_000;

export async function runServe(flags: ServeFlags): Promise<number> {
  const keys = await keysOf(flags);
  if (keys.length === 0 && !flags.insecureNoKey) requireLoopback(flags.host);
  const rules = flags.script === undefined ? [] : await readRules(flags.script);
  const models = await servedModels(flags.model, process.env['MODEL_DIR'], flags.activation);
  const compute = createWorkerCompute(models, {
    onLost: (error) => say(`the thread that computes ended: ${error instanceof Error ? error.message : String(error)}`),
  });
  try {
    // While the thread starts.
    const { createServer } = await import('../../server/server.js');
    const playground = await playgroundFolder();
    const server = createServer({
      compute,
      playground,
      keys,
      rules,
      faults: flags.faults === true,
      hosts: flags.allowHost ?? [],
      origins: flags.allowOrigin ?? [],
      limits: {
        ...(flags.maxActive === undefined ? {} : { active: flags.maxActive }),
        ...(flags.maxQueued === undefined ? {} : { queued: flags.maxQueued }),
      },
      log: flags.quiet ? undefined : (line) => say(JSON.stringify(line)),
    });
    const signals = catchSignals();
    const options = { host: flags.host, insecure: flags.insecureNoKey === true };
    const { url } = await server.listen(flags.port ?? portFromEnvironment(), options);
    for (const [name, model] of models) note(describe(name, model));
    note(keys.length === 0 ? 'no key is needed' : `requests need ${keys.length === 1 ? 'the key' : 'one of the keys'}`);
    if (playground !== undefined) note(`the playground is at ${url}/playground/`);
    if (!isLoopback(flags.host)) {
      note(
        'requests may name only this address and localhost; how others call it has to be said: --allow-host NAME:PORT',
      );
    }
    if (flags.faults) note('requests may ask for errors (--faults): not for use outside of tests');
    result(url);
    const name = await signals.first;
    await drain(server, name, flags.drain);
    await server.close();
    return EXIT.ok;
  } finally {
    await compute.close();
  }
}

function describe(name: string, { config, tokenizer }: Checkpoint): string {
  const kind = tokenizer.roles === null ? 'completions' : 'completions and chat';
  return `serving ${name}: ${counted(parameterTable(config).total, 'parameter')}, context ${config.blockSize}, ${kind}`;
}

async function drain(server: Server, name: string, seconds: number): Promise<void> {
  const active = server.active();
  const since = performance.now();
  say(`${name}: draining ${active} ${active === 1 ? 'request' : 'requests'} (${seconds} s)…`);
  const cut = await server.drain(seconds);
  say(`done in ${((performance.now() - since) / 1000).toFixed(1)} s, ${cut} cut`);
}

/** The first signal is for ending in good order, the second ends the process. */
function catchSignals(): { readonly first: Promise<string> } {
  const first = new Promise<string>((resolve) => {
    let seen = false;
    for (const [name, code] of [
      ['SIGTERM', EXIT.sigterm],
      ['SIGINT', EXIT.sigint],
      ['SIGHUP', EXIT.sighup],
    ] as const) {
      process.on(name, () => {
        if (seen) process.exit(code);
        seen = true;
        resolve(name);
      });
    }
  });
  return { first };
}

/** As the earlier server: a port that is none is 8080. */
function portFromEnvironment(): number {
  const port = /^\d{1,5}$/.test(process.env['PORT'] ?? '') ? Number(process.env['PORT']) : 8080;
  return port <= 65_535 ? port : 8080;
}

async function keysOf({ apiKeyFile }: ServeFlags): Promise<string[]> {
  const own = process.env['MICROGPT_API_KEY'] ?? '';
  const file =
    apiKeyFile === undefined
      ? ''
      : new TextDecoder().decode(await readFileBounded(apiKeyFile, MOST_BYTES, 'name a file of keys'));
  const keys = [own, ...file.split('\n')].map((key) => key.trim()).filter((key) => key !== '');
  const unusable = keys.find((key) => !/^[\x21-\x2b\x2d-\x7e]+$/.test(key));
  if (unusable !== undefined || (apiKeyFile !== undefined && keys.length === 0)) {
    const message =
      unusable === undefined
        ? `${apiKeyFile} has no keys`
        : 'a key has white space, a comma or other characters than ASCII';
    throw new MicrogptError('MG_CLI_VALUE', message, 'give keys of letters and digits, one a line');
  }
  return keys;
}

/** createServer checks what the rules say. */
async function readRules(path: string): Promise<Rule[]> {
  const text = new TextDecoder().decode(
    await readFileBounded(path, MOST_BYTES, 'name a file with a JSON list of rules'),
  );
  let rules: unknown;
  try {
    rules = JSON.parse(text);
  } catch {
    rules = null;
  }
  if (Array.isArray(rules) && rules.every((rule) => typeof rule === 'object' && rule !== null)) return rules as Rule[];
  throw new MicrogptError(
    'MG_CLI_VALUE',
    `${path} is not a JSON list of rules`,
    'see docs/server.md for what a rule is',
  );
}
