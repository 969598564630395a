// microgpt train as a user gives it: what is said, what is saved in which format, and the names that earlier systems gave to flags.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createReading } from '../src/cli/train/text.js';
import { loadModel } from '../src/node/models.js';
import { microgpt, ROOT, temporaryFolder } from './cli.js';

const lines = (text: string) => text.trimEnd().split('\n');

async function train(cwd: string, ...args: string[]) {
  const outcome = await microgpt(['train', ...args], { cwd });
  expect(outcome.code, outcome.stderr).toBe(0);
  return outcome;
}

test('the machine line says how many threads the steps can use, and when that is not what was asked for', async () => {
  const cwd = temporaryFolder();
  const machine = async (...flags: string[]) => {
    const { stderr } = await train(cwd, 'names', '--steps', '1', '--samples', '0', '--overwrite', ...flags);
    return /machine {2}(.+), about/.exec(stderr)?.[1];
  };
  expect(await machine('--threads', '1')).toBe('wasm backend, 1 thread');
  expect(await machine('--threads', '3')).toBe('wasm backend, 1 thread, not 3: steps of this size are faster on one');
  expect(await machine()).toBe('wasm backend, 1 thread');
  const large = ['--n-embd', '64', '--batch-size', '16'];
  expect(await machine(...large, '--threads', '3')).toBe('wasm backend, up to 3 threads');
  expect(await machine(...large, '--threads', '1')).toBe('wasm backend, 1 thread');
  const other = ['--n-embd', '8', '--n-head', '2', '--backend', 'reference'];
  expect(await machine(...other, '--threads', '2')).toBe(
    'reference backend, 1 thread, not 2: this backend has no more',
  );
});

describe('samples at the end', () => {
  test('--prompt begins them, --gen bounds them, also beyond the context; the run is the same', async () => {
    const cwd = temporaryFolder();
    const plain = await train(cwd, 'names', '--steps', '30', '--run', 'a', '-n', '3');
    expect(lines(plain.stdout)).toHaveLength(3);
    const one = await train(cwd, 'names', '--steps', '30', '--run', 'b', '--prompt', 'ma', '--gen', '3');
    expect(one.stdout).toMatch(/^ma[a-z]{0,3}\n$/);
    const odd = await train(cwd, 'names', '--steps', '2', '--run', 'd', '--prompt', 'Zo7');
    expect(odd.stderr).toContain('note: the prompt is read as "zo": the model has no "Z"\n');
    expect(odd.stderr).toContain('note: the model does not know "7": left out of what it reads');
    expect(odd.stdout.startsWith('Zo7')).toBe(true);
    const long = ['--prompt', 'The ', '--gen', '300', '--block-size', '16', '--temp', '2', '--topk', '30'];
    const story = await train(cwd, 'stories', '--steps', '5', '--run', 'c', '--eval-every', '0', ...long);
    expect([...story.stdout].length).toBeGreaterThan(4 + 16);
    expect(story.stdout.startsWith('The ')).toBe(true);
    const model = (run: string) => readFileSync(join(cwd, run, 'model.safetensors'));
    expect(model('b').equals(model('a'))).toBe(true);
  });

  test('of conversations: who says what, on the way and at the end; the log has it too', async () => {
    const cwd = temporaryFolder();
    const small = ['--n-embd', '16', '--n-layer', '1', '--steps', '20', '--sample-every', '10'];
    const { stdout, stderr } = await train(cwd, 'chat', ...small);
    expect(stderr).toMatch(/\n {4}user: .+\n {4}assistant: /);
    const parts = stdout.trimEnd().split('\n\n');
    expect(parts).toHaveLength(5);
    for (const part of parts) expect(part).toMatch(/^user: .+\nassistant: /);
    expect(new Set(parts.map((part) => lines(part)[0])).size).toBe(5);
    const log = lines(readFileSync(join(cwd, 'models/chat/metrics.jsonl'), 'utf8')).map((line) => JSON.parse(line));
    const [sample] = log.filter(({ type }) => type === 'sample');
    expect(sample.texts).toHaveLength(3);
    expect(sample.texts[0]).toMatch(/^user: .+\nassistant: /);
    const asked = await train(cwd, 'chat', ...small, '--prompt', 'hello', '--gen', '4');
    expect(asked.stdout).toMatch(/^user: hello\nassistant: .{0,4}\n$/);
  });
});

test('--output and --save take the format from the name, as convert does; --load goes on from any of them', async () => {
  const cwd = temporaryFolder();
  const small = ['--steps', '3', '-n', '0'];
  mkdirSync(join(cwd, 'there'));
  for (const [flag, path, format] of [
    ['--output', 'm.json', 'nested model.json'],
    ['--save', 'm.safetensors', 'safetensors'],
    ['--output', 'new/', 'weights.json + meta.json'],
    ['--save', 'there', 'weights.json + meta.json'],
  ] as const) {
    const { stderr } = await train(cwd, 'names', ...small, flag, path);
    expect(stderr).toMatch(/saved (m\.json|m\.safetensors|(new|there)\/weights\.json and (new|there)\/meta\.json) \(/);
    expect((await loadModel(join(cwd, path))).format).toBe(format);
    await train(cwd, 'names', ...small, '--load', path, '--run', `from-${format.slice(0, 4)}-${flag}`);
  }
  const prefix = join(ROOT, 'test/fixtures/prefix-bin/ckpt_d16_l2_step20');
  writeFileSync(join(cwd, 'text.txt'), 'To be, or not to be, that is the question. '.repeat(50));
  const go = [
    '--load',
    prefix,
    '--data',
    'text.txt',
    '--save',
    'out',
    '--batch',
    '2',
    '--seq',
    '16',
    '--prompt',
    'To ',
  ];
  const { stderr } = await train(cwd, ...go, '--steps', '3', '--gen', '5');
  expect(stderr).toContain('text.txt, read as bytes');
  expect(readdirSync(cwd)).toEqual(expect.arrayContaining(['out.bin', 'out.json']));
  expect((await loadModel(join(cwd, 'out'))).format).toBe('prefix .json + .bin');
});

describe('the first row of a table', () => {
  const table = 'id,name\n1,rex\n2,bella\n';
  const folder = () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'pets.csv'), table);
    return cwd;
  };
  const documents = async (...args: string[]) =>
    JSON.parse((await microgpt(['data', 'inspect', 'pets.csv', '--json', ...args], { cwd: folder() })).stdout)
      .documents;

  test('has names, or is an example, as --header says; without, as --column is a name or a number', async () => {
    expect(await documents('--column', 'name')).toBe(2);
    expect(await documents('--column', '2')).toBe(3);
    expect(await documents('--column', '2', '--header', 'auto')).toBe(3);
    expect(await documents('--column', '2', '--header', 'yes')).toBe(2);
    expect(await documents('--column', '2', '--header')).toBe(2);
    expect(await documents('--column', '2', '--header', 'no')).toBe(3);
    const wrong = await microgpt(['data', 'inspect', 'pets.csv', '--header', 'maybe'], { cwd: folder() });
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('"maybe", expected yes, no, auto') });
  });

  test('a run reads it as it was told, also when it goes on; and a note says where nobody told', async () => {
    const cwd = folder();
    const go = ['--data', 'pets.csv', '--column', '2', '--steps', '4', '-n', '0', '--run', 'a'];
    const untold = await train(cwd, ...go, '--run', 'b');
    expect(untold.stderr).toContain('note: the first row is taken as an example');
    const told = await train(cwd, ...go, '--header', 'yes', '--stop-after', '2');
    expect(told.stderr).not.toContain('the first row');
    const record = (run: string) => JSON.parse(readFileSync(join(cwd, run, 'run.json'), 'utf8')).settings;
    expect([record('a').data.documents, record('b').data.documents]).toEqual([2, 3]);
    expect([record('a').settings.data.header, Object.keys(record('b').settings.data)]).toEqual([
      'yes',
      expect.not.arrayContaining(['header']),
    ]);
    const other = await microgpt(['train', '--resume', 'a', '--header', 'no'], { cwd });
    expect(other.stderr).toContain('this run was begun with data.header yes, not no');
    await train(cwd, '--resume', 'a', '-n', '0');
    await train(cwd, ...go, '--header', 'yes', '--run', 'whole');
    const model = (run: string) => readFileSync(join(cwd, run, 'model.safetensors'));
    expect(model('a').equals(model('whole'))).toBe(true);
  });

  test('a scenario file can say it', async () => {
    const cwd = folder();
    const data = { path: 'pets.csv', format: 'csv', column: '2', header: 'yes' };
    writeFileSync(join(cwd, 'own.json'), JSON.stringify({ name: 'own', recipe: 'standard', data }));
    await train(cwd, '--config', 'own.json', '--steps', '2', '-n', '0');
    expect(JSON.parse(readFileSync(join(cwd, 'models/own/run.json'), 'utf8')).settings.data.documents).toBe(2);
  });
});

test('a run that goes on saves as often as it was told at its beginning, unless it is told otherwise', async () => {
  const cwd = temporaryFolder();
  const saved = (run: string) =>
    readdirSync(join(cwd, run, 'checkpoints'))
      .map((name) => Number(/\d+/.exec(name)))
      .sort((a, b) => a - b);
  const go = ['names', '--steps', '20', '--keep', '100', '-n', '0', '--stop-after', '7'];
  await train(cwd, ...go, '--save-every', '5', '--run', 'told');
  await train(cwd, ...go, '--save-every', '5', '--run', 'otherwise');
  await train(cwd, ...go, '--run', 'untold');
  await train(cwd, '--resume', 'told', '--keep', '100', '-n', '0');
  await train(cwd, '--resume', 'otherwise', '--keep', '100', '-n', '0', '--save-every', '6');
  expect(saved('told')).toEqual([5, 7, 10, 15, 20]);
  expect(saved('otherwise')).toEqual([5, 7, 12, 18, 20]);
  const record = (run: string) => JSON.parse(readFileSync(join(cwd, run, 'run.json'), 'utf8')).settings;
  expect([record('told').saveEvery, Object.keys(record('untold')).includes('saveEvery')]).toEqual([5, false]);
});

test('--unknown: characters that the model does not know are left out and counted, or end it', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'pets.txt'), 'rex\nbella\nmilo\n');
  writeFileSync(join(cwd, 'others.txt'), 'rex7\nbella\n');
  await train(cwd, '--data', 'pets.txt', '--steps', '2', '--run', 'pets', '-n', '0');
  const more = ['--data', 'others.txt', '--init-from', 'pets', '--steps', '2', '-n', '0'];
  const skipped = await train(cwd, ...more);
  expect(skipped.stderr).toContain('1 character that the tokenizer does not know was left out: "7" (U+0037)');
  const refused = await microgpt(['train', ...more, '--unknown', 'error'], { cwd });
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('error MG_DATA_UNKNOWN') });
});

test('--activation says what an old file to start from does not; a file that says its own is believed', async () => {
  const cwd = temporaryFolder();
  const old = fileURLToPath(new URL('golden/canonical/model.json', import.meta.url));
  const more = ['--steps', '2', '-n', '0', '--activation', 'relu'];
  const told = await train(cwd, 'names', '--init-from', old, '--run', 'a', ...more);
  expect(told.stderr).not.toContain('not used');
  expect((await loadModel(join(cwd, 'a'))).checkpoint.config.activation).toBe('relu');
  const sure = await train(
    cwd,
    'names',
    '--init-from',
    'a',
    '--run',
    'b',
    '--steps',
    '2',
    '-n',
    '0',
    '--activation',
    'gelu',
  );
  expect(sure.stderr).toContain('gelu is not used');
  expect((await loadModel(join(cwd, 'b'))).checkpoint.config.activation).toBe('relu');
});

describe('nothing is dropped in silence', () => {
  test('flags that something else decides get a note, or are refused', async () => {
    const cwd = temporaryFolder();
    const run = ['names', '--steps', '4', '-n', '0'];
    const first = await train(cwd, ...run, '--run', 'r', '--stop-after', '2', '--warmup', '9', '--grad-accum', '3');
    expect(first.stderr).toContain('note: the warm-up takes 9 steps, and the run has only 4');
    expect(first.stderr).toContain('note: a batch of 1 cannot be computed in 3 parts');
    expect(first.stderr).toContain(
      'with     Adam, warm-up 9 steps, no clipping, no dropout, batches in 3 parts, nothing',
    );
    const read = await train(cwd, ...run, '--run', 'read', '--column', 'x', '--chunk-size', '9', '--loss-on', 'all');
    for (const flag of ['--column', '--chunk-size', '--loss-on'])
      expect(read.stderr).toContain(`note: ${flag} is not used: the text is read as lines`);
    const sized = await train(cwd, ...run, '--init-from', 'r', '--n-embd', '32', '--n-layer', '1');
    expect(sized.stderr).toContain('note: --n-embd 32 is not used: the model that training starts from has 16');
    expect(sized.stderr).not.toContain('--n-layer 1');
    for (const args of [
      [...run, '--patience', '3'],
      [...run, '--eval-every', '2'],
      ['--resume', 'r', '--time', '3s'],
      ['--resume', 'r', '--run', 's'],
      ['--resume', 'r', '--init-from', 's'],
      ['names', '--resume', 'r'],
    ]) {
      const { code, stderr } = await microgpt(['train', ...args], { cwd });
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^error MG_CLI_USAGE: .+\n {2}→ .+\n$/)]);
    }
    const held = await train(cwd, ...run, '--validation', '0.1', '--patience', '3', '--run', 't');
    expect(held.stderr).toContain('validated every step, until 3 in a row are no better');
  });

  test('a loss that ends above knowing nothing is said; so is how to repeat a run that was given a time', async () => {
    const cwd = temporaryFolder();
    const bad = await train(cwd, 'names', '--lr', '5', '--steps', '60', '-n', '0', '--run', 'bad');
    expect(bad.stderr).toMatch(/note: the loss ended at \d+(\.\d+)?, and 3\.30 is to know nothing: try a lower --lr/);
    const timed = await train(cwd, 'names', '--time', '0.3s', '-n', '0', '--json');
    const steps = Number(/note: ([\d,]+) steps? fit into 0\.3 s/.exec(timed.stderr)?.[1].replace(',', ''));
    const events = lines(timed.stdout).map(
      (line) => JSON.parse(line) as { type: string; step: number; texts?: string[] },
    );
    expect(events.filter(({ type }) => type === 'step').at(-1)?.step).toBe(steps);
    expect(events.at(-1)).toMatchObject({ type: 'sample', step: steps, texts: [] });
    const again = ['names', '--time', '0.3s', '--steps', String(steps), '-n', '0', '--run', 'again'];
    await train(cwd, ...again);
    const model = (run: string) => readFileSync(join(cwd, run, 'model.safetensors'));
    expect(model('again').equals(model('models/names'))).toBe(true);
  });
});

describe('scenario files of the earlier scripts', () => {
  const file = (backend: string, data: object) =>
    JSON.stringify({
      name: 'pets',
      description: 'Names of pets',
      data: { path: 'data/pets/input.txt', format: 'lines', ...data },
      model: { n_embd: 16, n_head: 4, n_layer: 1, block_size: 8 },
      training: { learning_rate: 0.01, beta1: 0.9, beta2: 0.95, eps_adam: 1e-8, num_steps: 3, backend },
    });

  test('load as they are, with their text beside them and their backends', async () => {
    const cwd = temporaryFolder();
    for (const folder of ['scenarios', 'data/pets']) mkdirSync(join(cwd, folder), { recursive: true });
    writeFileSync(join(cwd, 'data/pets/input.txt'), 'rex\nbella\nmilo\nluna\n');
    for (const [old, ours] of [
      ['python', 'value'],
      ['numpy', 'wasm'],
    ]) {
      writeFileSync(join(cwd, 'scenarios/pets.json'), file(old, {}));
      const { stderr } = await train(cwd, '-c', 'scenarios/pets.json', '-n', '1');
      expect(stderr).toContain('Names of pets\n');
      expect(stderr).toContain(`machine  ${ours} backend`);
      expect(stderr).toContain('learning rate 0.01 (cosine)');
      expect(stderr).toContain('saved models/pets/model.safetensors');
    }
    const other = await train(cwd, 'names', '-b', 'numpy', '--steps', '2', '-n', '0', '--data', 'data/pets/input.txt');
    expect(other.stderr).toContain('input.txt, by the settings of scenario names');
  });

  test('a text that is not there is fetched from its address; without it the way out is said', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'pets.json'), file('numpy', { download_url: 'http://127.0.0.1:9/pets.txt' }));
    const missing = await microgpt(['train', '--config', 'pets.json'], { cwd });
    expect(missing).toMatchObject({ code: 4, stderr: expect.stringContaining('error MG_DOWNLOAD_FAILED') });
    expect(missing.stderr).toContain('--data FILE');
    writeFileSync(join(cwd, 'pets.json'), file('numpy', { download_url: 'file:///etc/passwd' }));
    const refused = await microgpt(['train', '--config', 'pets.json'], { cwd });
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('expected an http or https address') });
  });
});

test('reading a large text says how far it is: quarters in a file, one line on a terminal', () => {
  let time = 0;
  const written: string[] = [];
  const plain = createReading({ write: (text) => written.push(text) }, () => time, 'book.txt');
  for (let done = 0; done <= 1e9; done += 1e8) {
    time = done / 1e5;
    plain.progress(done, 1e9);
  }
  plain.end();
  expect(written).toEqual([
    'reading book.txt: 300.0 MB of 1.00 GB, 0:07 left\n',
    'reading book.txt: 500.0 MB of 1.00 GB, 0:05 left\n',
    'reading book.txt: 800.0 MB of 1.00 GB, 0:02 left\n',
    'read book.txt: 1.00 GB in 0:10; preparing the run\n',
  ]);
  written.length = 0;
  const shown = createReading({ isTTY: true, columns: 40, write: (text) => written.push(text) }, () => time, 'b');
  shown.progress(5e8, 1e9);
  shown.progress(1e9, 1e9);
  shown.end();
  const broken = createReading({ isTTY: true, columns: 40, write: (text) => written.push(text) }, () => time, 'b');
  broken.end();
  expect(written).toEqual([
    `\r\u001b[K${'reading b: 500.0 MB of 1.00 GB, 0:00 left'.slice(0, 39)}`,
    '\r\u001b[Kread b: 1.00 GB in 0:00; preparing the run\n',
    '\r\u001b[K',
  ]);
});
