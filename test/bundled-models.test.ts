// The two models that come with microgpt: made by scripts/bundled-models.mjs from the corpora beside them, small, and fit to try things with.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createPythonRandom } from '../src/base/python-random.js';
import type { Checkpoint } from '../src/checkpoint/checkpoint.js';
import { createChat } from '../src/engine/chat.js';
import { generate } from '../src/engine/text.js';
import { initialParameters, parameterTable } from '../src/model/parameters.js';
import { BUNDLED_MODELS } from '../src/node/bundled-models.js';
import { type Loaded, loadModel } from '../src/node/models.js';
import { microgpt, ROOT, runCommand, temporaryFolder } from './cli.js';
import { goldenText } from './golden.js';
import { testFull } from './needs.js';

const dataset = (name: string) => readFileSync(join(ROOT, 'datasets', name));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const lines = (text: string) => text.split('\n').slice(0, -1);

let names: Loaded;
let chat: Loaded;
beforeAll(async () => {
  [names, chat] = await Promise.all(BUNDLED_MODELS.map(({ path }) => loadModel(path)));
});

test('together at most 500 KB, checked by their sums, and they say what they were made from', () => {
  expect(names.bytes + chat.bytes).toBeLessThanOrEqual(500_000);
  for (const [{ name }, { checkpoint, notes }] of [
    [BUNDLED_MODELS[0], names],
    [BUNDLED_MODELS[1], chat],
  ] as const) {
    expect(notes).toEqual([]);
    expect(checkpoint.run).toMatchObject({ name, madeBy: 'scripts/bundled-models.mjs', about: expect.any(String) });
    expect(checkpoint.run).toMatchObject({ settings: { recipe: 'standard', seed: '42' } });
    // A corpus that was changed without training again would be noticed here.
    const { name: file, sha256: hash } = checkpoint.run!['data'] as { readonly name: string; readonly sha256: string };
    expect(hash).toBe(sha256(dataset(file)));
  }
});

describe('names', () => {
  /** The share of words that one can say: a vowel among any four letters, and nothing but letters. */
  const sayable = (words: readonly string[]) =>
    words.filter((word) => /^[a-z]{2,15}$/.test(word) && !/[^aeiouy]{4}/.test(word) && /[aeiouy]/.test(word)).length /
    words.length;

  test('most can be said, most are new, hardly any comes twice', () => {
    const known = new Set(lines(dataset('names.txt').toString()));
    const samples = generate(names.checkpoint, { samples: 500, temperature: 0.8, seed: 1 });
    expect(sayable(samples)).toBeGreaterThan(0.97);
    expect(samples.filter((name) => !known.has(name)).length).toBeGreaterThan(250);
    expect(new Set(samples).size).toBeGreaterThan(450);
  });

  test('an untrained model of the same form does not pass for one', () => {
    const { config } = names.checkpoint;
    const table = parameterTable(config);
    const parameters = initialParameters(table, { std: 0.08, residualStd: 0.08 }, createPythonRandom(1).gauss);
    const untrained: Checkpoint = { ...names.checkpoint, parameters };
    expect(sayable(generate(untrained, { samples: 200, temperature: 0.8, seed: 1 }))).toBeLessThan(0.5);
  });
});

describe('chat', () => {
  const talks = lines(dataset('chat.jsonl').toString()).map((line) => JSON.parse(line) as { content: string }[]);
  /** What is answered in the corpus to this, wherever in a conversation. */
  const answers = (said: string) =>
    talks.flatMap((talk) => talk.flatMap(({ content }, i) => (content === said ? [talk[i + 1].content] : [])));
  const SAID = ['hello', 'tell me a joke', 'what do cows say?', 'what is the opposite of hot?', 'good night'];

  test('whole answers of its corpus, turn after turn, also to capital letters', async () => {
    const talk = createChat(chat.checkpoint, { temperature: 0 });
    for (const said of [...SAID, ...SAID.map((text) => text[0].toUpperCase() + text.slice(1))]) {
      let text = '';
      let end: string | null = null;
      for await (const event of talk.say(said)) {
        text += event.text;
        end = event.end ?? end;
      }
      expect(answers(said.toLowerCase()), said).toContain(text);
      expect(end).toBe('token');
    }
    talk.close();
  });

  test('most of what is in the corpus is answered as there; asked for nothing that it knows, it still ends its turn', async () => {
    const asked = talks.filter((_, i) => i % 18 === 0).map(([first]) => first.content);
    const talk = createChat(chat.checkpoint, { temperature: 0 });
    let right = 0;
    for (const said of asked) {
      let text = '';
      for await (const event of talk.say(said)) text += event.text;
      if (answers(said).includes(text)) right++;
    }
    expect(asked.length).toBeGreaterThan(100);
    expect(right / asked.length).toBeGreaterThan(0.9);
    let end: string | null = null;
    for await (const event of talk.say('zebras juggle quince jam on mars')) end = event.end ?? end;
    expect(end).toBe('token');
    talk.close();
  });
});

describe('in a folder without a model', () => {
  const uses = (name: string) =>
    new RegExp(`^note: using ${name}, .* that comes with microgpt; train your own: microgpt train .*\n`);

  test('generate, score, inspect and info take the names, chat takes the conversations, and each says so in a line', async () => {
    const cwd = temporaryFolder();
    const [generated, scored, inspected, info, chatted] = await Promise.all([
      microgpt(['generate', '-n', '5'], { cwd }),
      microgpt(['score', join(ROOT, 'LICENSE')], { cwd }),
      microgpt(['inspect', '--prompt', 'anna'], { cwd }),
      microgpt(['info'], { cwd }),
      microgpt(['chat', '--message', 'What do cows say?', '--temperature', '0'], { cwd }),
    ]);
    for (const outcome of [generated, scored, inspected, info]) {
      expect(outcome).toMatchObject({ code: 0, stderr: expect.stringMatching(uses('names')) });
    }
    expect(lines(generated.stdout)).toHaveLength(5);
    // Its run held out lines to compare with, and they lie beside it.
    expect(scored.stderr).toMatch(/percentiles are among [\d,]+ lines of .*names\.txt/);
    expect(chatted).toMatchObject({ code: 0, stdout: 'they moo.\n', stderr: expect.stringMatching(uses('chat')) });
  });

  test('by name; what was trained here under that name comes first', async () => {
    const cwd = temporaryFolder();
    const asked = ['generate', '-n', '3', '--seed', '7', '--model'];
    const named = await microgpt([...asked, 'names'], { cwd });
    expect(named).toMatchObject({ code: 0, stderr: expect.stringMatching(uses('names')) });
    expect((await microgpt([...asked, BUNDLED_MODELS[0].path], { cwd })).stdout).toBe(named.stdout);
    mkdirSync(join(cwd, 'models/names'), { recursive: true });
    writeFileSync(join(cwd, 'models/names/model.json'), goldenText('persistence/model.json'));
    const own = await microgpt([...asked, 'names'], { cwd });
    expect(own).toMatchObject({ code: 0, stderr: expect.stringContaining(`using ${join('models', 'names')}\n`) });
    expect(own.stdout).not.toBe(named.stdout);
    // The newest of one's own is none of conversations: chat says so and takes its own, unless it was asked for that one.
    const [chatted, refused, bundled] = await Promise.all([
      microgpt(['chat', '--message', 'hello'], { cwd }),
      microgpt(['chat', '--message', 'hello', '--model', 'names'], { cwd }),
      microgpt(['chat', '--message', 'hello', '--model', 'chat'], { cwd }),
    ]);
    expect(bundled).toMatchObject({ code: 0, stderr: expect.stringMatching(uses('chat')) });
    expect(chatted).toMatchObject({ code: 0, stdout: bundled.stdout });
    expect(chatted.stderr).toMatch(
      /^note: models.names.model\.json was not trained on conversations\nnote: using chat, /,
    );
    expect(refused).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(/MG_CHAT_MODEL.*\n.*--model chat/),
    });
  });

  test('converted and trained further by name', async () => {
    const cwd = temporaryFolder();
    const converted = await microgpt(['convert', 'names', 'names.json'], { cwd });
    expect(converted.code, converted.stderr).toBe(0);
    writeFileSync(join(cwd, 'pets.txt'), 'rex\nbella\nmilo\nluna\nrocky\n'.repeat(3));
    const args = ['train', '--data', 'pets.txt', '--init-from', 'names', '--steps', '2', '--samples', '0'];
    const trained = await microgpt(args, { cwd });
    expect(trained.code, trained.stderr).toBe(0);
    const { initFrom } = JSON.parse(readFileSync(join(cwd, 'models/pets/run.json'), 'utf8')).settings;
    expect(initFrom).toBe(BUNDLED_MODELS[0].path);
  });
});

testFull(
  'trained again from the corpora, both are the same to the bit',
  async () => {
    const out = temporaryFolder();
    const script = join(ROOT, 'scripts/bundled-models.mjs');
    const outcome = await runCommand(process.execPath, [script, '--out', out], { cwd: ROOT });
    expect(outcome.code, outcome.stderr).toBe(0);
    for (const { name, path } of BUNDLED_MODELS) {
      const again = readFileSync(join(out, `${name}.safetensors`));
      expect(sha256(again), `${name}: node scripts/bundled-models.mjs, and look at what it says`).toBe(
        sha256(readFileSync(path)),
      );
    }
  },
  30 * 60_000,
);
