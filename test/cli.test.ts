import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DOWNLOADS, fetchCorpus } from '../src/node/corpora.js';
import { microgpt, ROOT, runCommand, temporaryFolder } from './cli.js';
import { goldenText, shuffledNames } from './golden.js';
import { testOn } from './needs.js';

const lines = (text: string) => text.trim().split('\n');

/** Nothing but what the test put there: no result, no temporary file. */
const leftIn = (folder: string) => readdirSync(folder).sort();

describe('train, then generate, many times', () => {
  test('train names saves a model and prints 20 names; generate finds it; info describes it', async () => {
    const cwd = temporaryFolder();
    const trained = await microgpt(['train', 'names', '--steps', '60'], { cwd });
    expect(trained.code).toBe(0);
    expect(lines(trained.stdout)).toHaveLength(20);
    expect(trained.stderr).toMatch(/step 60\/60 {2}loss \d\.\d{4}/);
    expect(trained.stderr).toContain('saved models/names/model.safetensors');
    expect(leftIn(join(cwd, 'models/names'))).toEqual([
      'checkpoints',
      'metrics.jsonl',
      'model.safetensors',
      'run.json',
      'timing.jsonl',
    ]);

    const first = await microgpt(['generate'], { cwd });
    expect(first.code).toBe(0);
    expect(first.stderr).toContain('using models/names/model.safetensors');
    expect(lines(first.stdout)).toHaveLength(20);
    expect((await microgpt(['generate', '--seed', '42'], { cwd })).stdout).toBe(first.stdout);
    expect((await microgpt(['generate', '--seed', '43'], { cwd })).stdout).not.toBe(first.stdout);
    // A sample does not depend on how many are asked for.
    expect((await microgpt(['generate', '-n', '3'], { cwd })).stdout).toBe(
      `${lines(first.stdout).slice(0, 3).join('\n')}\n`,
    );

    const info = await microgpt(['info'], { cwd });
    expect(info.stdout).toMatch(/parameters +4,192/);
    expect(info.stdout).toContain('relu, no biases');
  });

  test('the same command gives the same bytes; another seed gives others; both engines agree', async () => {
    const cwd = temporaryFolder();
    const model = (path: string) => readFileSync(join(cwd, `${path}.json`), 'utf8');
    const train = (path: string, ...more: string[]) => {
      const where = ['--run', path, '--output', `${path}.json`];
      return microgpt(['train', 'names', '--steps', '5', '--n-embd', '8', ...where, ...more], { cwd });
    };
    const [a, b, c, d] = await Promise.all([
      train('a'),
      train('b'),
      train('c', '--seed', '18446744073709551615'),
      train('d', '--backend', 'value'),
    ]);
    expect([a.code, b.code, c.code, d.code]).toEqual([0, 0, 0, 0]);
    expect(model('a')).toBe(model('b'));
    expect(model('a')).not.toBe(model('c'));
    expect(JSON.parse(model('a')).config.n_embd).toBe(8);
    expect(a.stdout).toBe(d.stdout);
  });

  test('a text of one’s own, every size flag, and the flag names of earlier systems', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'pets.txt'), 'rex\nbella\nmilo\nluna\n');
    const sizes = '--n-embd 6 --n-head 3 --n-layer 2 --block-size 5 --batch-size 3 --lr 0.02 --steps 8'.split(' ');
    const trained = await microgpt(['train', '--input', 'pets.txt', '-o', 'pets.json', ...sizes], { cwd });
    expect(trained.code).toBe(0);
    const { config } = JSON.parse(readFileSync(join(cwd, 'pets.json'), 'utf8'));
    expect(config).toMatchObject({ n_embd: 6, n_head: 3, n_layer: 2, block_size: 5 });
    const samples = await microgpt(['generate', '--model-dir', 'models/pets', '--num-samples', '2', '--input', 'be'], {
      cwd,
    });
    expect(lines(samples.stdout)).toHaveLength(2);
    for (const line of lines(samples.stdout)) expect(line).toMatch(/^be/);
  });

  test('the quick start of the earlier scripts: train.sh and run.sh', async () => {
    const cwd = temporaryFolder();
    const trained = await runCommand(join(ROOT, 'train.sh'), ['--steps', '3'], { cwd });
    expect(trained.code).toBe(0);
    const { config, chars } = JSON.parse(readFileSync(join(cwd, 'model.json'), 'utf8'));
    expect(config).toEqual({ n_embd: 16, n_head: 4, n_layer: 1, block_size: 8, vocab_size: 27 }); // squared relu needs no marker
    expect(chars[0]).toBe('<BOS>');
    const ran = await runCommand(join(ROOT, 'run.sh'), ['--seed', '5'], { cwd });
    expect(ran.code).toBe(0);
    expect(ran.stdout.split('\n')).toHaveLength(21);
  });

  test('a model.json that Python wrote generates what Python gave', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'model.json'), goldenText('persistence/model.json'));
    const nested = await microgpt(['generate', '--temperature', '0.6', '--compat', 'python'], { cwd });
    expect(lines(nested.stdout)).toEqual(
      [...goldenText('persistence/run_seed42.log').matchAll(/^sample.*: (.+)$/gm)].map((m) => m[1]),
    );
    writeFileSync(join(cwd, 'model.json'), goldenText('scenario-names/model.json'));
    const flat = await microgpt(['generate', '-n', '5', '--compat', 'python', '-i', 'George'], { cwd });
    expect(lines(flat.stdout)).toEqual(
      [...goldenText('scenario-names/main_George.log').matchAll(/^sample.*: (.+)$/gm)].map((m) => m[1]),
    );
    expect(flat.stderr).toContain('does not know "G"');
  });

  test('reading only the first lines of the output is no error', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'model.json'), goldenText('persistence/model.json'));
    const script = `${JSON.stringify(process.execPath)} ${JSON.stringify(join(ROOT, 'bin/microgpt.js'))} generate -n 20000 | head -n 2; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await runCommand('bash', ['-c', script], { cwd });
    expect(lines(stdout)).toHaveLength(3);
    expect(lines(stdout)[2]).toBe('0');
    expect(stderr).not.toContain('error');
  });
});

describe('bad input: a code, a sentence, a way out, an exit code, and nothing written', () => {
  const files: Record<string, string | Uint8Array> = {
    'empty.txt': '',
    'blank.txt': ' \n\n \n',
    'one.txt': 'a',
    'bad.txt': Uint8Array.of(0x61, 0xff, 0x0a),
    'good.txt': 'rex\nbella\n',
    'cut.json': goldenText('persistence/model.json').slice(0, 5000),
    'text.json': 'hello',
    'shape.json': goldenText('persistence/model.json').replace('"n_embd": 16', '"n_embd": 12'),
    'vocabulary.json': goldenText('persistence/model.json').replace(', "z"]', ']'),
  };

  test.each<[number, string, string[]]>([
    [2, 'MG_CLI_USAGE', []],
    [2, 'MG_CLI_USAGE', ['train']],
    [2, 'MG_CLI_USAGE', ['train', 'names', '--stepps', '3']],
    [2, 'MG_CLI_USAGE', ['train', 'names', '--steps']],
    [2, 'MG_CLI_USAGE', ['train', 'names', 'twice']],
    [2, 'MG_CLI_USAGE', ['fly']],
    [2, 'MG_CLI_USAGE', ['data', 'fetch', 'everything']],
    [2, 'MG_CLI_SCENARIO', ['train', 'nonsense']],
    [2, 'MG_CLI_SCENARIO', ['train', '../../package']],
    [2, 'MG_CLI_VALUE', ['train', 'names', '--steps', '-1']],
    [2, 'MG_CLI_VALUE', ['train', 'names', '--steps', '0']],
    [2, 'MG_CLI_VALUE', ['train', 'names', '--steps', '1e3']],
    [2, 'MG_CLI_VALUE', ['train', 'names', '--lr', '0']],
    [2, 'MG_CLI_VALUE', ['train', 'names', '--output', '']],
    [2, 'MG_CLI_VALUE', ['data', 'fetch', 'names', '--from', 'file:///etc/passwd']],
    [2, 'MG_CLI_VALUE', ['train', 'names', '--validation', '0.6']],
    [2, 'MG_ENGINE_MEMORY', ['train', 'names', '--backend', 'value', '--n-embd', '64', '--batch-size', '64']],
    [2, 'MG_ENGINE_MEMORY', ['train', 'names', '--n-embd', '2048', '--n-layer', '4', '--batch-size', '64']],
    [2, 'MG_CKPT_FORMAT', ['train', 'names', '--n-embd', '1536', '--output', 'x.json']],
    [2, 'MG_CLI_VALUE', ['train', 'names', '--lr', 'NaN']],
    [2, 'MG_CLI_VALUE', ['train', 'names', '--seed', '-5']],
    [2, 'MG_CLI_VALUE', ['train', 'names', '--backend', 'gpu']],
    [2, 'MG_CLI_VALUE', ['train', 'names', '--recipe', 'toString']],
    [2, 'MG_CONFIG_INVALID', ['train', 'names', '--n-embd', '10', '--n-head', '4']],
    [2, 'MG_CONFIG_INVALID', ['train', 'names', '--n-embd', '16384', '--n-layer', '128']],
    [3, 'MG_FILE_MISSING', ['train', '--data', 'nowhere.txt']],
    [3, 'MG_FILE_KIND', ['train', '--data', '.']],
    [3, 'MG_FILE_KIND', ['train', '--data', '/dev/zero']],
    [3, 'MG_DATA_EMPTY', ['train', '--data', 'empty.txt']],
    [3, 'MG_DATA_EMPTY', ['train', '--data', 'blank.txt']],
    [3, 'MG_DATA_TOO_SMALL', ['train', '--data', 'one.txt']],
    [3, 'MG_DATA_UTF8', ['train', '--data', 'bad.txt', '--format', 'lines']],
    [2, 'MG_CKPT_FORMAT', ['train', 'names', '--output', 'model.onnx']],
    [2, 'MG_CKPT_FORMAT', ['train', 'names', '--output', 'prefix']],
    [3, 'MG_FILE_MISSING', ['train', '--resume', 'nowhere']],
    [2, 'MG_CLI_USAGE', ['train', 'names', '--config', 'good.txt']],
    [2, 'MG_CLI_SCENARIO', ['train', '--config', 'good.txt']],
    [4, 'MG_SAVE_UNWRITABLE', ['train', '--data', 'good.txt', '--run', 'good.txt/run']],
    [4, 'MG_SAVE_UNWRITABLE', ['train', '--data', 'good.txt', '--output', 'good.txt/model.json']],
    [4, 'MG_SAVE_UNWRITABLE', ['train', '--data', 'good.txt', '--output', '/dev/null']],
    [4, 'MG_SAVE_UNWRITABLE', ['train', '--data', 'good.txt', '--output', `${'x'.repeat(300)}.json`]],
    [3, 'MG_FILE_MISSING', ['generate', '--model', 'nowhere']],
    [3, 'MG_FILE_MISSING', ['generate', '--model', 'nowhere.json']],
    [3, 'MG_FILE_MISSING', ['info', '--model', 'good.txt/model.json']],
    [3, 'MG_CKPT_JSON', ['generate', '--model', 'cut.json']],
    [3, 'MG_CKPT_UNKNOWN', ['generate', '--model', 'text.json']],
    [3, 'MG_CKPT_SHAPE', ['generate', '--model', 'shape.json']],
    [3, 'MG_CKPT_TOKENIZER', ['info', '--model', 'vocabulary.json']],
    [2, 'MG_CLI_VALUE', ['generate', '--temperature', '-1']],
    [2, 'MG_CLI_VALUE', ['generate', '--samples', 'many']],
    [2, 'MG_CLI_VALUE', ['generate', '--compat', 'cobol']],
  ])('exit %i, %s: microgpt %j', async (code, name, args) => {
    const cwd = temporaryFolder();
    for (const [file, content] of Object.entries(files)) writeFileSync(join(cwd, file), content);
    const outcome = await microgpt(args, { cwd });
    expect(outcome.code).toBe(code);
    expect(outcome.stdout).toBe('');
    if (args.length > 0) {
      expect(outcome.stderr).toMatch(new RegExp(`^error ${name}: .+\n  → .+\n$`));
    }
    expect(outcome.stderr).not.toMatch(/\n {4}at /);
    expect(leftIn(cwd)).toEqual(Object.keys(files).sort());
  });

  test('a pipe is refused at once', async () => {
    const cwd = temporaryFolder();
    execFileSync('mkfifo', [join(cwd, 'pipe')]);
    const outcome = await microgpt(['generate', '--model', 'pipe'], { cwd });
    expect(outcome).toMatchObject({ code: 3, stderr: expect.stringContaining('MG_FILE_KIND') });
  });

  testOn('Linux', 'a place where no folder can be made is found before training starts', async () => {
    const outcome = await microgpt(['train', 'names', '--output', '/proc/nowhere/model.json'], {
      cwd: temporaryFolder(),
    });
    expect(outcome).toMatchObject({ code: 4, stderr: expect.stringContaining('MG_SAVE_UNWRITABLE') });
  });
});

describe('Ctrl-C and kill', () => {
  test.each<[NodeJS.Signals, number]>([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('%s in the middle: saves, says how to go on, exits with %i', async (signal, code) => {
    const cwd = temporaryFolder();
    let sent = false;
    const interrupt = (text: string, kill: (signal: NodeJS.Signals) => void) => {
      if (sent || !text.includes('step ')) return;
      sent = true;
      kill(signal);
    };
    const outcome = await microgpt(['train', 'names', '--steps', '1000000'], { cwd, onStderr: interrupt });
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toMatch(/saved step [\d,]+ of 1,000,000 in models\/names/);
    expect(outcome.stderr).toContain('microgpt train --resume models/names');
    expect(outcome.stderr).toContain('microgpt generate --model models/names');
    expect((await microgpt(['generate', '-n', '1', '--model', 'models/names'], { cwd })).code).toBe(0);

    // It is not thrown away by chance.
    const again = await microgpt(['train', 'names', '--steps', '1'], { cwd });
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('error MG_RUN_EXISTS') });
  });
});

test.each([
  ['the progress', '2>&1'],
  ['the events', '--json'],
])('whoever stops reading %s does not stop the training', async (_, how) => {
  const cwd = temporaryFolder();
  const command = `${JSON.stringify(process.execPath)} ${JSON.stringify(join(ROOT, 'bin/microgpt.js'))} train names --steps 3000 ${how} | head -n 1`;
  await runCommand('bash', ['-c', command], { cwd });
  expect((await microgpt(['info', '--model', 'models/names'], { cwd })).stdout).toMatch(/steps? +3,000/);
});

test('an output that is a link: the file behind it is replaced, the link stays', async () => {
  const cwd = temporaryFolder();
  mkdirSync(join(cwd, 'store'));
  writeFileSync(join(cwd, 'store/real.json'), 'old');
  symlinkSync('store/real.json', join(cwd, 'link.json'));
  expect((await microgpt(['train', 'names', '--steps', '1', '--output', 'link.json'], { cwd })).code).toBe(0);
  expect(readFileSync(join(cwd, 'store/real.json'), 'utf8')).toMatch(/^\{"config"/);
});

test.each([
  'train',
  'generate',
  'chat',
  'score',
  'eval',
  'novelty',
  'inspect',
  'info',
  'data',
  'data fetch',
  'bench',
  'report',
  'compare',
  'convert',
  'export',
])('%s --help has a purpose, options and examples', async (command) => {
  const { code, stdout } = await microgpt([...command.split(' '), '--help'], { cwd: temporaryFolder() });
  expect(code).toBe(0);
  expect(stdout).toContain('Usage: microgpt');
  if (command !== 'data') expect(stdout).toMatch(/Examples?:/);
});

describe('data fetch', () => {
  const names = shuffledNames().join('\n');

  /** A server on this machine that gives `body` once asked. */
  async function serve(status: number, body: string): Promise<string> {
    const server = createServer((_, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/names.txt`;
  }

  test('downloads once, checks the sha256, then uses the cache', async () => {
    const folder = temporaryFolder();
    const { createHash } = await import('node:crypto');
    const download = { ...DOWNLOADS[0], bytes: names.length, sha256: createHash('sha256').update(names).digest('hex') };
    const url = await serve(200, names);
    expect(await fetchCorpus(download, { url, folder })).toMatchObject({ cached: false });
    expect(readFileSync(join(folder, 'names.txt'), 'utf8')).toBe(names);
    expect(await fetchCorpus(download, { url: 'http://127.0.0.1:1/', folder })).toMatchObject({ cached: true });
  });

  test('another file, a refusal, and no network: each said plainly, nothing kept', async () => {
    const folder = temporaryFolder();
    const fetchFrom = (url: string) => fetchCorpus(DOWNLOADS[0], { url, folder });
    await expect(fetchFrom(await serve(200, names))).rejects.toMatchObject({ code: 'MG_DOWNLOAD_HASH' });
    await expect(fetchFrom(await serve(200, 'x'.repeat(1_000_000)))).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_HASH',
    });
    await expect(fetchFrom(await serve(404, 'no'))).rejects.toMatchObject({ code: 'MG_DOWNLOAD_FAILED' });
    await expect(fetchFrom('http://127.0.0.1:1/')).rejects.toMatchObject({ code: 'MG_DOWNLOAD_FAILED' });
    expect(leftIn(folder)).toEqual([]);
    const outcome = await microgpt(['data', 'fetch', 'names', '--from', 'http://127.0.0.1:1/'], { cwd: folder });
    expect(outcome).toMatchObject({ code: 4, stderr: expect.stringContaining('error MG_DOWNLOAD_FAILED') });
  });
});
