import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { saveModelAs } from '../src/node/models.js';
import { talkingModel, trainedChatModel } from './chat-model.js';
import { microgpt, ROOT, runCommand, temporaryFolder } from './cli.js';
import { describeWith } from './needs.js';
import { atTerminal, noTerminal, type Step } from './pty.js';

let learned: Uint8Array;
let talker: Uint8Array;

/** Models as files: one that answers what it has learned, and one that talks for thousands of tokens. */
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'microgpt-test-'));
  await saveModelAs(join(folder, 'a.safetensors'), trainedChatModel());
  await saveModelAs(join(folder, 'b.safetensors'), talkingModel(16_384));
  learned = readFileSync(join(folder, 'a.safetensors'));
  talker = readFileSync(join(folder, 'b.safetensors'));
  rmSync(folder, { recursive: true });
});

function folderWith(model: Uint8Array): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'model.safetensors'), model);
  return cwd;
}

/** A conversation at a terminal, with the model that has learned its answers. */
async function talk(
  steps: Step[],
  {
    model = learned,
    args = ['--temperature', '0.2'],
    ...how
  }: { model?: Uint8Array; args?: string[]; columns?: number; term?: string } = {},
) {
  const cwd = folderWith(model);
  return { cwd, ...(await atTerminal(['chat', ...args], { cwd, steps, ...how })) };
}

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const UP = '\u001b[A';
const LEFT = '\u001b[D';
const TALK = ['--temperature', '1'];

describeWith(noTerminal(), 'at a terminal', () => {
  test('a terminal that can only append gets no control sequences, and Ctrl-C clears the line there too', async () => {
    const { raw, code, missed } = await talk(
      [
        { wait: 'you> ' },
        { send: 'bye' },
        { wait: 'bye' },
        { send: CTRL_C },
        { wait: 'you> ' },
        { send: 'who?\r' },
        { wait: 'microgpt> a cat\r\n' },
        { wait: 'you> ' },
        { send: CTRL_D },
      ],
      { term: 'dumb' },
    );
    expect([missed, code], raw).toEqual([null, 0]);
    expect(raw).not.toContain('\u001b');
  });

  test('typing, answers, commands, leaving', async () => {
    const { screen, code, missed, cwd } = await talk([
      { wait: 'you> ' },
      { send: 'hi\r' },
      { wait: 'microgpt> hello\r\n' },
      { wait: 'you> ' },
      { send: 'who?\r' },
      { wait: 'microgpt> a cat\r\n' },
      { wait: 'you> ' },
      { send: '/save talk.jsonl\r' },
      { wait: '(saved 4 turns' },
      { wait: 'you> ' },
      { send: '/help\r' },
      { wait: 'Ctrl-C twice' },
      { wait: 'you> ' },
      { send: '/temp hot\r' },
      { wait: 'error MG_CLI_VALUE: /temp is "hot"' },
      { wait: 'you> ' },
      { send: '/temp 0.1\r' },
      { wait: '(temperature 0.1 from now on)' },
      { wait: 'you> ' },
      { send: '/seed 8\r' },
      { wait: '(seed 8 from now on)' },
      { wait: 'you> ' },
      { send: '/nonsense\r' },
      { wait: 'error MG_CLI_USAGE' },
      { wait: 'you> ' },
      { send: '\r' },
      { wait: 'you> ' },
      { send: '/clear\r' },
      { wait: 'forgotten' },
      { wait: 'you> ' },
      { send: 'bye\r' },
      { wait: 'microgpt> so long' },
      { wait: 'you> ' },
      { send: '/quit\r' },
    ]);
    expect({ missed, code }, screen).toEqual({ missed: null, code: 0 });
    expect(JSON.parse(readFileSync(join(cwd, 'talk.jsonl'), 'utf8'))).toEqual([
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'hello' },
      { role: 'user', content: 'who?' },
      { role: 'assistant', content: 'a cat' },
    ]);
  });

  test('line editing and history', async () => {
    const { screen, missed, code } = await talk([
      { wait: 'you> ' },
      { send: `i${LEFT}h\r` },
      { wait: 'microgpt> hello\r\n' },
      { wait: 'you> ' },
      { send: `${UP}\r` },
      { wait: 'microgpt> hello\r\n' },
      { wait: 'you> ' },
      { send: CTRL_D },
    ]);
    expect({ missed, code }, screen).toEqual({ missed: null, code: 0 });
  });

  test('Ctrl-C stops the reply and not the program, and what was typed meanwhile is answered', async () => {
    const { screen, missed, code } = await talk(
      [
        { wait: 'you> ' },
        { send: 'abc\r' },
        { wait: 'microgpt> ' },
        { more: 40 },
        { send: 'def\r' },
        { more: 80 },
        { send: CTRL_C },
        { wait: '(stopped)' },
        { wait: 'microgpt> ' },
        { more: 40 },
        { send: CTRL_C },
        { wait: '(stopped)' },
        { wait: 'you> ' },
        { send: '/quit\r' },
      ],
      { model: talker, args: TALK },
    );
    expect({ missed, code }, screen.slice(-2000)).toEqual({ missed: null, code: 0 });
    expect(screen.match(/microgpt> [a-z ]{20,}/g)).toHaveLength(2);
    expect(screen).not.toContain('error');
  });

  test('the reply comes bit by bit', async () => {
    const { screen, missed } = await talk(
      [
        { wait: 'you> ' },
        { send: 'abc\r' },
        { wait: 'microgpt> ' },
        { more: 20 },
        { send: CTRL_C },
        { wait: 'you> ' },
        { send: CTRL_D },
      ],
      { model: talker, args: TALK },
    );
    expect(missed, screen).toBe(null);
    expect(screen).toMatch(/microgpt> [a-z ]+ \(stopped\)/);
  });

  test('Ctrl-C clears a line; on an empty one it asks, and the second time leaves', async () => {
    const { screen, missed, code } = await talk([
      { wait: 'you> ' },
      { send: 'some words' },
      { wait: 'some words' },
      { send: CTRL_C },
      { pause: 0.1 },
      { send: 'hi\r' },
      { wait: 'microgpt> hello\r\n' },
      { wait: 'you> ' },
      { send: CTRL_C },
      { wait: 'Ctrl-C again' },
      { wait: 'you> ' },
      { send: 'who?\r' },
      { wait: 'a cat' },
      { wait: 'you> ' },
      { send: CTRL_C },
      { wait: 'Ctrl-C again' },
      { send: CTRL_C },
    ]);
    expect({ missed, code }, screen).toEqual({ missed: null, code: 0 });
  });

  test('the terminal is resized, in the middle of a line and of a reply', async () => {
    const { screen, missed, code } = await talk(
      [
        { wait: 'you> ' },
        { send: 'a line that is longer than twenty columns' },
        { wait: 'columns' },
        { resize: [10, 20] },
        { pause: 0.2 },
        { send: '\r' },
        { wait: 'microgpt> ' },
        { resize: [40, 120] },
        { more: 40 },
        { send: CTRL_C },
        { wait: '(stopped)' },
        { wait: 'you> ' },
        { send: '/quit\r' },
      ],
      { model: talker, args: TALK },
    );
    expect({ missed, code }, screen.slice(-2000)).toEqual({ missed: null, code: 0 });
  });

  test('a line of 10,000 characters', async () => {
    const { screen, missed, code } = await talk([
      { wait: 'you> ' },
      { send: `${'hi '.repeat(3333)}x` },
      { pause: 0.5 },
      { send: '\r' },
      { wait: 'do not fit into the context' },
      { wait: 'microgpt> ' },
      { wait: 'you> ' },
      { send: '/quit\r' },
    ]);
    expect({ missed, code }, screen.slice(-2000)).toEqual({ missed: null, code: 0 });
  });

  test('bytes that are not UTF-8, and control characters', async () => {
    const { screen, missed, code } = await talk([
      { wait: 'you> ' },
      { bytes: [0x68, 0xff, 0xc3, 0x28, 0x69, 0x0d] },
      { wait: 'the model does not know' },
      { wait: 'microgpt> ' },
      { wait: 'you> ' },
      { bytes: [0x00, 0x07, 0x1b, 0x1b, 0x68, 0x69, 0x0d] },
      { wait: 'microgpt> ' },
      { wait: 'you> ' },
      { send: '/quit\r' },
    ]);
    expect({ missed, code }, screen).toEqual({ missed: null, code: 0 });
    expect(screen).not.toMatch(/error: this is a bug/);
  });

  test('control: a step that never comes is reported', async () => {
    const cwd = folderWith(learned);
    const session = await atTerminal(['chat'], { cwd, steps: [{ wait: 'never' }], timeout: 2 });
    expect(session.missed).toBe(0);
  });
});

describe('from a pipe, and one message', () => {
  const bin = JSON.stringify(join(ROOT, 'bin/microgpt.js'));
  const chat = async (input: string, more = '') =>
    runCommand(
      'bash',
      ['-c', `printf ${input} | ${JSON.stringify(process.execPath)} ${bin} chat --temperature 0.2 ${more}`],
      {
        cwd: folderWith(learned),
      },
    );

  test('a line in, a line out; commands are carried out', async () => {
    expect(await chat(`'hi\\nwho?\\n\\n/clear\\nbye'`)).toMatchObject({ code: 0, stdout: 'hello\na cat\nso long\n' });
    expect(await chat(`'hi\\r\\nwho?\\r\\n/quit\\nbye\\n'`)).toMatchObject({ code: 0, stdout: 'hello\na cat\n' });
    expect(await chat(`''`)).toMatchObject({ code: 0, stdout: '' });
    expect(await chat(`'hi\\n/seed x\\nbye\\n'`)).toMatchObject({ code: 2, stdout: 'hello\n' });
    expect((await chat(`'\\xff\\xfe\\n'`)).stderr).toContain('the model does not know "\ufffd"');
  });

  test('one message', async () => {
    expect(await chat(`''`, '--message bye')).toMatchObject({ code: 0, stdout: 'so long\n' });
    const twice = await Promise.all([1, 2].map(() => chat(`''`, '--message hi --temp 2 --seed 7')));
    expect(twice[0].stdout).toBe(twice[1].stdout);
  });

  test('nothing named: the newest model of conversations, though others are newer', async () => {
    const cwd = temporaryFolder();
    const names = readFileSync(join(ROOT, 'bundled/names.safetensors'));
    for (const [name, model, seconds] of [
      ['old', talker, 1000],
      ['talks', learned, 2000],
      ['broken', Buffer.from('no model'), 3000],
      ['names', names, 4000],
    ] as const) {
      const file = join(cwd, 'models', name, 'model.safetensors');
      mkdirSync(join(cwd, 'models', name), { recursive: true });
      writeFileSync(file, model);
      utimesSync(file, seconds, seconds);
    }
    const { code, stderr, stdout } = await microgpt(['chat', '--message', 'bye', '--temperature', '0.2'], { cwd });
    expect([code, stdout], stderr).toEqual([0, 'so long\n']);
    expect(stderr).toMatch(/names.model.safetensors was not trained on conversations\nnote: using models.talks.model/);
  });

  test('a model that was not trained on conversations', async () => {
    const cwd = temporaryFolder();
    await microgpt(['train', 'names', '--steps', '1'], { cwd });
    const { code, stderr, stdout } = await microgpt(['chat', '--message', 'hi', '--model', 'names'], { cwd });
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/error MG_CHAT_MODEL: .*\n {2}→ .*--format chat/);
  });
});
