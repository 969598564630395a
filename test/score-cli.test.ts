// score, eval, novelty and inspect as commands, on the recorded canonical model and on runs of their own.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { corpusFromText } from '../src/data/build.js';
import { score } from '../src/engine/score.js';
import { microgpt, ROOT, temporaryFolder } from './cli.js';
import { corpusTest } from './corpora.js';
import { goldenText, shuffledNames } from './golden.js';
import { canonicalModel } from './scored-models.js';

const BIN = join(ROOT, 'bin/microgpt.js');
const NAMES = shuffledNames().slice(0, 400);

/** A folder with the canonical model and a few names. */
function folder(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'model.json'), goldenText('canonical/model_seed0_format.json'));
  writeFileSync(join(cwd, 'names.txt'), `${NAMES.join('\n')}\n`);
  return cwd;
}
const MODEL = ['--model', 'model.json', '--activation', 'relu'];

/** The same with something on standard input. */
function piped(args: readonly string[], cwd: string, input: string | Uint8Array) {
  const child = spawn(process.execPath, [BIN, ...args], { cwd });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {}).end(input);
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((done) => {
    child.on('close', (code) => done({ code, stdout, stderr }));
  });
}

test('score: what capitals cost is said once; with --fold-case they cost what small letters do', async () => {
  const cwd = folder();
  const strict = await piped(['score', ...MODEL], cwd, 'emma\nEmma\nEMMA\n');
  expect(strict.stderr.match(/note: the model has no .*/g)).toEqual([
    'note: the model has no "E", which costs a line 20.1 bits and more; --fold-case reads small letters',
  ]);
  const folded = await piped(['score', ...MODEL, '--fold-case'], cwd, 'emma\nEmma\nEMMA\n');
  expect(folded.stderr).not.toContain('the model has no');
  const rows = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t').slice(0, 2).join(' '));
  expect(new Set(rows(folded.stdout))).toEqual(new Set(rows(strict.stdout).slice(0, 1)));
  expect(new Set(rows(strict.stdout)).size).toBe(3);
});

test('score prints a row for every line, from a file and from standard input alike', async () => {
  const cwd = folder();
  const lines = ['emma', '', '  olivia ', 'zoé', 'a\tb', 'x'.repeat(300), '\u0007bell', 'last without an end'];
  const text = lines.join('\r\n');
  writeFileSync(join(cwd, 'lines.txt'), `\ufeff${text}`);
  const fromFile = await microgpt(['score', 'lines.txt', ...MODEL], { cwd });
  expect(fromFile.code, fromFile.stderr).toBe(0);
  const rows = fromFile.stdout.split('\n').slice(0, -1);
  expect(rows.map((row) => row.split('\t').slice(3).join('\t'))).toEqual(lines);
  const expected = score(
    canonicalModel(),
    lines.map((line) => line.trim()),
  );
  rows.forEach((row, i) => {
    const [bits, logProbability, percentile] = row.split('\t');
    expect([bits, logProbability, percentile]).toEqual([
      expected[i].bitsPerCharacter.toFixed(4),
      expected[i].logProbability.toFixed(4),
      '-',
    ]);
  });
  const fromStdin = await piped(['score', ...MODEL], cwd, text);
  expect(fromStdin.stdout).toBe(fromFile.stdout);
  const each = await piped(['score', '-', ...MODEL, '--per-character'], cwd, 'emma\n');
  const [, , , costs, line] = each.stdout.trim().split('\t');
  expect([costs.split(' ').length, line]).toEqual([5, 'emma']);
});

test('score as JSON, with bytes that are not UTF-8 on the way', async () => {
  const cwd = folder();
  const input = Uint8Array.from([101, 109, 0xff, 109, 97, 10, 10]);
  const { stdout, code } = await piped(['score', ...MODEL, '--json', '--per-character'], cwd, input);
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect([code, rows.length]).toEqual([0, 2]);
  expect(rows[0]).toMatchObject({ text: 'em\ufffdma', unknown: 1, percentile: null });
  expect(rows[0].characters.map((c: { text: string }) => c.text)).toEqual(['e', 'm', '\ufffd', 'm', 'a']);
  const sum = rows[0].characters.reduce((all: number, c: { bits: number }) => all + c.bits, rows[0].endBits);
  expect(sum).toBeCloseTo(rows[0].bits, 9);
});

test('thresholds choose lines and set the exit code; sorting puts the most surprising first', async () => {
  const cwd = folder();
  const input = `${['emma', 'anna', 'xqzvkw', 'maria'].join('\n')}\n`;
  const run = (...flags: string[]) => piped(['score', ...MODEL, ...flags], cwd, input);
  const texts = (stdout: string) =>
    stdout
      .split('\n')
      .slice(0, -1)
      .map((row) => row.split('\t')[3]);

  const p99 = await run('--calibrate', 'names.txt', '--threshold', 'p99');
  expect([p99.code, texts(p99.stdout)]).toEqual([3, ['xqzvkw']]);
  const inverted = await run('--calibrate', 'names.txt', '--threshold', 'p99', '--invert');
  expect([inverted.code, texts(inverted.stdout)]).toEqual([3, ['emma', 'anna', 'maria']]);
  const none = await run('--threshold', '50');
  expect([none.code, none.stdout]).toEqual([0, '']);
  const sorted = await run('--sort');
  expect(texts(sorted.stdout)[0]).toBe('xqzvkw');
  const bits = sorted.stdout
    .split('\n')
    .slice(0, -1)
    .map((row) => Number(row.split('\t')[0]));
  expect(bits).toEqual([...bits].sort((a, b) => b - a));

  const nothingKnown = await run('--threshold', 'p99');
  expect(nothingKnown.code).toBe(2);
  expect(nothingKnown.stderr).toMatch(/MG_CLI_VALUE.*lines to compare with.*\n.*--calibrate/);
  for (const bad of ['p101', 'x', '-1', '']) expect((await run(`--threshold=${bad}`)).code, bad).toBe(2);
});

test('lines are scored as they come, and a reader that has seen enough is no error', async () => {
  const cwd = folder();
  const child = spawn(process.execPath, [BIN, 'score', ...MODEL], { cwd });
  const first = new Promise<string>((done) => child.stdout.once('data', (data: Buffer) => done(String(data))));
  child.stdin.on('error', () => {});
  child.stdin.write('emma\nann');
  expect(await first).toMatch(/\temma\n$/); // before the input has ended
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => {
    stderr += String(data);
  });
  child.stdout.destroy();
  child.stdin.end(`a\n${'olivia\n'.repeat(20_000)}`);
  const code = await new Promise((done) => child.on('close', done));
  expect([code, stderr.replace(/note: .*\n/g, '')]).toEqual([0, '']);
});

test('what cannot be read says so', async () => {
  const cwd = folder();
  const run = async (...args: string[]) => (await microgpt(['score', ...args, ...MODEL], { cwd })).stderr;
  expect(await run('none.txt')).toMatch('MG_FILE_MISSING');
  expect(await run('.')).toMatch('MG_FILE_KIND');
});

test('percentiles are among the lines that the run of the model held out, as long as its text is the same', async () => {
  const cwd = folder();
  const train = [
    'train',
    '--data',
    'names.txt',
    '--steps',
    '40',
    '--validation',
    '0.2',
    '--samples',
    '0',
    '--run',
    'run',
  ];
  const trained = await microgpt(train, { cwd });
  expect(trained.code, trained.stderr).toBe(0);
  const run = () => piped(['score', '--model', 'run', '--threshold', 'p50'], cwd, `${NAMES.join('\n')}\nqxqxqx\n`);
  const found = await run();
  expect(found.stderr).toMatch(/percentiles are among \d+ lines of \S*names.txt that training held out/);
  expect(found.code).toBe(3);
  const percentiles = found.stdout
    .trim()
    .split('\n')
    .map((row) => Number(row.split('\t')[2]));
  expect(Math.min(...percentiles)).toBeGreaterThan(50);
  expect(percentiles.at(-1)).toBe(100);
  expect(percentiles.length).toBeGreaterThan(120);
  expect(percentiles.length).toBeLessThan(280);
  // The training text is known to novelty as well.
  const novelty = await microgpt(['novelty', '--model', 'run', '-n', '50'], { cwd });
  expect(novelty.stdout).toMatch(new RegExp(`${new Set(NAMES).size} different lines in \\S*names.txt`));

  writeFileSync(join(cwd, 'names.txt'), `${NAMES.slice(1).join('\n')}\n`);
  const changed = await run();
  expect([changed.code, changed.stderr]).toEqual([2, expect.stringMatching(/names.txt has changed since/)]);
});

test('eval prints the loss of a file, and as JSON the same', async () => {
  const cwd = folder();
  const { stdout, code } = await microgpt(['eval', 'names.txt', ...MODEL], { cwd });
  expect(code).toBe(0);
  const json = JSON.parse((await microgpt(['eval', '--data', 'names.txt', ...MODEL, '--json'], { cwd })).stdout);
  const scores = score(canonicalModel(), NAMES);
  const tokens = NAMES.reduce((sum, name) => sum + name.length + 1, 0);
  expect(json).toMatchObject({ format: 'lines', tokens, characters: tokens - NAMES.length, unknown: 0 });
  expect(json.loss).toBeCloseTo(-scores.reduce((sum, one) => sum + one.logProbability, 0) / tokens, 9);
  expect(stdout).toContain(`loss          ${json.loss.toFixed(6)} nats per token`);
  expect(stdout).toContain(`perplexity    ${Math.exp(json.loss).toPrecision(6)}`);
  const text = JSON.parse(
    (await microgpt(['eval', 'names.txt', ...MODEL, '--format', 'text', '--json'], { cwd })).stdout,
  );
  expect([text.unknown, text.tokens]).toEqual([NAMES.length, tokens - NAMES.length + 1]); // the line ends are unknown
  const refused = async (...args: string[]) => (await microgpt(['eval', ...args, ...MODEL], { cwd })).stderr;
  expect(await refused()).toMatch('MG_CLI_USAGE');
  expect(await refused('names.txt', '--format', 'bytes')).toMatch(/MG_CLI_VALUE.*model of bytes/);
  expect(await refused('names.txt', '--sanity-offset', '0')).toMatch(/MG_CLI_VALUE.*256 tokens/);
});

test('eval reads conversations as training does: its loss is the validation loss of the run', async () => {
  const cwd = temporaryFolder();
  const said = [
    ['hi', 'hello there'],
    ['who?', 'a cat'],
    ['bye', 'so long'],
    ['how are you', 'fine, thanks'],
  ];
  const talks = said.flatMap(([a, b]) =>
    said.map(([c, d]) =>
      JSON.stringify([a, b, c, d].map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }))),
    ),
  );
  writeFileSync(join(cwd, 'talks.jsonl'), `${talks.join('\n')}\n`);
  const flags = ['--steps', '8', '--validation', '0.4', '-n', '0', '--run', 'r'];
  const trained = await microgpt(['train', '--data', 'talks.jsonl', ...flags], { cwd });
  expect(trained.code, trained.stderr).toBe(0);
  const [, loss] = /^validation loss (\S+), /m.exec(trained.stderr) ?? [];
  const { validation } = corpusFromText(`${talks.join('\n')}\n`, { format: 'chat', heldOut: 0.4 });
  if (validation === null || validation.kind === 'stream') throw new Error('nothing was held out');
  const held = Array.from({ length: validation.count }, (_, i) => talks[validation.number(i) - 1]);
  writeFileSync(join(cwd, 'held.jsonl'), `${held.join('\n')}\n`);
  const evaluated = async (...args: string[]) =>
    JSON.parse((await microgpt(['eval', '--model', 'r', '--json', ...args], { cwd })).stdout);
  const found = await evaluated('held.jsonl');
  expect([found.format, found.loss.toFixed(4), found.unknown]).toEqual(['chat', loss, 0]);
  expect((await evaluated('held.jsonl', '--format', 'lines')).unknown).toBeGreaterThan(0); // the same file, brackets and all
});

test('eval says how it read the file, and its ways out exist', async () => {
  const cwd = folder();
  writeFileSync(
    join(cwd, 'talk.jsonl'),
    '[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]\n',
  );
  writeFileSync(join(cwd, 'old.txt'), Buffer.from('anna\nren\u00e9\n', 'latin1'));
  const run = (...args: string[]) => microgpt(['eval', ...args, ...MODEL], { cwd });
  expect((await run('talk.jsonl')).stderr).toContain('read as lines, for the model was trained on no conversations');
  expect((await run('talk.jsonl', '--format', 'chat')).stderr).toMatch(/MG_CLI_VALUE.*trained on conversations/);
  const strict = await run('old.txt');
  expect([strict.code, strict.stderr]).toEqual([3, expect.stringMatching(/line 2[\s\S]*with --encoding lossy$/m)]);
  const lossy = await run('old.txt', '--encoding', 'lossy');
  expect([lossy.code, lossy.stderr]).toEqual([0, expect.stringContaining('1 place not in UTF-8 became U+FFFD')]);
  // Elsewhere there is no such flag, and none is advised.
  const score = await microgpt(['score', '--calibrate', 'old.txt', 'names.txt', ...MODEL], { cwd });
  expect(score.stderr).toMatch(/MG_DATA_UTF8[\s\S]*iconv -f latin1 -t utf-8/);
});

corpusTest('the earlier trainer’s check of one place, to the byte', 'the-verdict.txt', async (data) => {
  const fixtures = join(ROOT, 'test/fixtures/prefix-bin');
  const transcript = readFileSync(join(fixtures, 'transcript.txt'), 'utf8');
  const [, expected] =
    /--sanity-offset 100 --sanity-preview 5 --sanity-top 3\nloaded [^\n]*\n(.*?)\[exit 0\]/s.exec(transcript) ?? [];
  const run = (...args: string[]) =>
    microgpt(['eval', '--data', data, '--load', join(fixtures, 'ckpt_d16_l2_step20'), ...args], { cwd: ROOT });
  const one = await run('--sanity-offset', '100', '--sanity-preview', '5', '--sanity-top', '3');
  expect(one.stdout).toBe(expected);
  const beyond = await run('--sanity-offset', '20470');
  expect([beyond.code, beyond.stderr]).toEqual([
    3,
    expect.stringContaining('need bytes[20470..20486] but dataset has 20479 bytes'),
  ]);
  expect((await run('--sanity-offset', '0', '--sanity-ctx', '17')).stderr).toMatch(/--sanity-ctx.*exceeds/);

  // The places and the expected bytes of the recorded check depend on the file and the seed alone, with contexts of 64; these have 16.
  const random = await run('--sanity-next-from-data', '5', '--sanity-top', '0');
  expect(random.stdout.match(/\[sanity \d\/5\] start=\d+ ctx_len=16/g)).toHaveLength(5);
  expect(random.stdout).toMatch(/\n\nSanity top1 accuracy: \d\/5 = [\d.]+\n$/);
  const off = await run('--sanity-offset', '-1', '--sanity-next-from-data', '0', '--json');
  expect(JSON.parse(off.stdout)).toMatchObject({ format: 'bytes', tokens: 20_478 });
});

test('novelty says what is copied, of samples that are given and of its own', async () => {
  const cwd = folder();
  writeFileSync(join(cwd, 'samples.txt'), `${[...NAMES.slice(0, 9), 'qqqqqqqq'].join('\n')}\n`);
  const args = ['novelty', '--data', 'names.txt', '--samples-from', 'samples.txt'];
  const { stdout, code } = await microgpt(args, { cwd });
  expect(code).toBe(0);
  expect(stdout).toMatch(/word for word {2}9 of 10 \(90.0%\)/);
  expect(stdout).toMatch(/new {12}"qqqqqqqq"\n\nThe model mostly repeats its training text/);
  const json = JSON.parse((await microgpt([...args, '--json'], { cwd })).stdout);
  expect(json).toMatchObject({ samples: 10, exact: 9, verdict: 'mostly', data: 'names.txt' });
  writeFileSync(join(cwd, 'prose.txt'), 'It was a dark\n and stormy\tnight; the rain\nfell in torrents.\n');
  const prose = ['novelty', '--data', 'prose.txt', '--format', 'text', '--samples-from', '-', '--json'];
  const runs = await piped(prose, cwd, 'a dark and stormy  night; the\nall else is new\n');
  expect(JSON.parse(runs.stdout)).toMatchObject({ exact: 1, longestRun: { text: 'a dark and stormy night; the' } });
  const own = await microgpt(['novelty', '--data', 'names.txt', ...MODEL, '-n', '60', '--json'], { cwd });
  expect(JSON.parse(own.stdout).samples).toBe(60);
  const unknown = await microgpt(['novelty', ...MODEL], { cwd });
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringMatching(/MG_CLI_USAGE.*\n.*--data FILE/)]);
  const empty = await piped(['novelty', '--data', 'names.txt', '--samples-from', '-'], cwd, '\n\n');
  expect([empty.code, empty.stderr]).toEqual([3, expect.stringContaining('MG_DATA_EMPTY')]);
});

test('novelty compares with what the run read of a table, not with its lines', async () => {
  const cwd = folder();
  const rows = NAMES.slice(0, 30).map((name, i) => `${i},${name}`);
  writeFileSync(join(cwd, 'table.csv'), ['number,name', ...rows].join('\n'));
  writeFileSync(join(cwd, 'samples.txt'), NAMES.slice(0, 10).join('\n'));
  const args = ['--data', 'table.csv', '--column', 'name', '--steps', '2', '-n', '0', '--run', 'r'];
  expect((await microgpt(['train', ...args], { cwd })).code).toBe(0);
  const { stdout } = await microgpt(['novelty', '--model', 'r', '--samples-from', 'samples.txt'], { cwd });
  expect(stdout).toMatch(/word for word {2}10 of 10/);
  // Hardly any line was held out: that is said where percentiles come from them.
  const { stderr } = await microgpt(['score', '--model', 'r', 'samples.txt'], { cwd });
  expect(stderr).toMatch(
    /percentiles are among \d lines? of \S+ that training held out: too few for more than a rough/,
  );
});

test('inspect fits into 80 columns, and says everything as JSON', async () => {
  const cwd = folder();
  for (const prompt of ['', 'a', 'anna', 'abcdefghijklmnopqrstuvwxyz', 'an7na']) {
    const { stdout, stderr, code } = await microgpt(['inspect', ...MODEL, '--prompt', prompt], { cwd });
    expect(code, stderr).toBe(0);
    for (const line of stdout.split('\n')) expect([...line].length).toBeLessThanOrEqual(80);
    expect(stdout.match(/layer 0 head \d/g)).toHaveLength(4);
    expect(stdout).toMatch(/^\^ █/m); // the first token attends to itself alone
  }
  const { stdout } = await microgpt(['inspect', ...MODEL, '--prompt', 'anna', '--json', '--top', '3'], { cwd });
  const json = JSON.parse(stdout);
  expect(json.tokens.map((token: { text: string | null }) => token.text)).toEqual([null, 'a', 'n', 'n', 'a']);
  expect([json.next.length, json.next[0].length, json.logits.length, json.logits[0].length]).toEqual([5, 3, 5, 27]);
  expect([json.attention.length, json.attention[0].length, json.attention[0][0].length]).toEqual([1, 4, 5]);
  for (const head of json.attention[0])
    for (const row of head) expect(row.reduce((a: number, b: number) => a + b, 0)).toBeCloseTo(1, 5);
});
