// microgpt generate as a user types it: demands, filters, the flags and programs of earlier systems.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { microgpt, temporaryFolder } from './cli.js';
import { goldenText } from './golden.js';

const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
const rust = join(fixtures, 'weights-meta/names-model');
const cpp = (name: string) => join(fixtures, 'prefix-bin', name);

const lines = (text: string) => text.split('\n').slice(0, -1);

/** A folder with the names model of the persistence scripts. */
function names(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'model.json'), goldenText('persistence/model.json'));
  return cwd;
}
const generate = (args: string[], cwd = names()) => microgpt(['generate', ...args], { cwd });

test.each(['generate', 'chat'])(
  '%s --scenario: the model that it was trained to, or how to train it',
  async (command) => {
    const cwd = temporaryFolder();
    const untrained = await microgpt([command, '--scenario', 'chat'], { cwd });
    expect(untrained).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('→ train it first: microgpt train chat\n'),
    });
    const { code } = await microgpt(['train', 'chat', '--steps', '2', '--samples', '0'], { cwd });
    expect(code).toBe(0);
    const args = { generate: ['-n', '1'], chat: ['--message', 'hello'] }[command as 'chat'];
    const trained = await microgpt([command, '-s', 'chat', ...args], { cwd });
    expect([trained.code, lines(trained.stdout).length]).toEqual([0, 1]);
    expect(trained.stderr).toContain('note: using models/chat\n');
  },
);

describe('a prompt with capitals, for a model that has learned none', () => {
  const bundled = ['--model', 'names', '-n', '3'];

  test('is read as small letters and printed as it was given, and one note says so', async () => {
    const small = await generate([...bundled, '--prompt', 'anna']);
    expect(small.stderr).not.toContain('read as');
    const { stdout, stderr } = await generate([...bundled, '--prompt', 'Anna']);
    expect(lines(stdout)).toEqual(lines(small.stdout).map((line) => `Anna${line.slice(4)}`));
    expect(stderr.match(/note: the prompt is read as .*/g)).toEqual([
      'note: the prompt is read as "anna": the model has no "A"',
    ]);
    const seen = await microgpt(['inspect', '--model', 'names', '--prompt', 'Anna'], { cwd: temporaryFolder() });
    expect(seen.stderr).toContain('read as "anna"');
    expect(seen.stdout).toMatch(/^ {2}1 a /m);
  });

  test('what it knows neither way is named too; the draws of earlier programs leave capitals out, as those did', async () => {
    const odd = await generate([...bundled, '--prompt', 'Ann7']);
    expect(odd.stderr).toContain('read as "ann"');
    expect(odd.stderr).toContain('does not know "7": left out');
    expect(lines(odd.stdout)[0]).toMatch(/^Ann7/);
    const earlier = ['--compat', 'python', '--prompt'];
    const [capital, without] = await Promise.all([
      generate([...bundled, ...earlier, 'Anna']),
      generate([...bundled, ...earlier, 'nna']),
    ]);
    expect(lines(capital.stdout)).toEqual(lines(without.stdout).map((line) => `A${line}`));
    expect(capital.stderr).toContain('does not know "A": left out');
    expect(capital.stderr).not.toContain('read as');
  });
});

describe('--no-seed', () => {
  test('gives other samples each time, and says the seed that gives them again', async () => {
    for (const more of [[], ['--compat', 'python'], ['--compat', 'rust']]) {
      const [one, other] = await Promise.all([1, 2].map(() => generate(['-n', '4', '--no-seed', ...more])));
      const [first, second] = [one, other].map(({ stderr }) =>
        /note: --seed (\d+) gives the same text again/.exec(stderr),
      );
      expect(first?.[1]).not.toBe(second?.[1]); // both among 2^32
      expect(one.stdout).not.toBe(other.stdout);
      const again = await generate(['-n', '4', '--no-seed', ...more, '--seed', first?.[1] as string]);
      expect(again.stdout).toBe(one.stdout);
      expect(again.stderr).not.toContain('gives the same text again');
    }
  });

  test('in a conversation too', async () => {
    const say = (...seed: string[]) =>
      microgpt(['chat', '--model', 'chat', '--message', 'tell me a story', '-t', '1', ...seed], {
        cwd: temporaryFolder(),
      });
    const { stdout, stderr } = await say('--no-seed');
    const seed = /note: --seed (\d+)/.exec(stderr)?.[1] as string;
    expect((await say('--seed', seed)).stdout).toBe(stdout);
  });
});

describe('demands', () => {
  test('each is met by every sample, and the number asked for is printed', async () => {
    const cwd = names();
    writeFileSync(join(cwd, 'no.txt'), 'kala\nkara\n\nkaya\n');
    const args =
      '-n 60 --unique --matches k[aeiou].* --ends-with a --min-length 3 --max-length 5 --exclude no.txt'.split(' ');
    const { code, stdout } = await generate(args, cwd);
    expect(code).toBe(0);
    expect(new Set(lines(stdout)).size).toBe(60);
    for (const line of lines(stdout)) {
      expect(line).toMatch(/^k[aeiou].{0,2}a$|^kaa$/);
      expect(['kala', 'kara', 'kaya']).not.toContain(line);
    }
    const again = await generate(args, cwd);
    expect(again.stdout).toBe(stdout);
    const begun = await generate(['-n', '9', '--starts-with', 'zo', '--prompt', 'z']);
    for (const line of lines(begun.stdout)) expect(line).toMatch(/^zo/);
  });

  test('not in the training text: named, or that of the scenario', async () => {
    const cwd = temporaryFolder();
    await microgpt(['train', 'names', '--steps', '400'], { cwd });
    const training = new Set(
      lines(readFileSync(fileURLToPath(new URL('../datasets/names.txt', import.meta.url)), 'utf8')),
    );
    const plain = await generate(['-s', 'names', '-n', '300', '-t', '0.3'], cwd);
    expect(lines(plain.stdout).some((line) => training.has(line))).toBe(true);
    const fresh = await generate(['-s', 'names', '-n', '300', '-t', '0.3', '--not-in-training'], cwd);
    expect(fresh.code).toBe(0);
    expect(lines(fresh.stdout)).toHaveLength(300);
    expect(lines(fresh.stdout).filter((line) => training.has(line))).toEqual([]);
    const newest = await generate(['-n', '300', '-t', '0.3', '--not-in-training'], cwd); // known from the run beside the model
    expect(newest.stdout).toBe(fresh.stdout);
    const unknown = await generate(['--not-in-training'], names());
    expect(unknown).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('MG_CLI_USAGE') });
  });

  test('fewer than asked for: those there are, the number found, and exit code 3', async () => {
    const { code, stdout, stderr } = await generate(['-n', '30', '--unique', '--matches', '[abc]{3}']);
    expect(code).toBe(3);
    expect(new Set(lines(stdout)).size).toBe(27);
    expect(stderr).toMatch(/error MG_GEN_IMPOSSIBLE: found 27 of 30 samples: .*\n {2}→ /);
  });

  test.each<[number, string, string[]]>([
    [3, 'MG_GEN_IMPOSSIBLE', ['--matches', '[0-9]']],
    [3, 'MG_GEN_IMPOSSIBLE', ['--min-length', '9']],
    [2, 'MG_GEN_PATTERN', ['--matches', '(?=a)b']],
    [2, 'MG_GEN_PATTERN', ['--matches', '[a']],
    [2, 'MG_OPTION_VALUE', ['--min-length', '2', '--stop', 'a']],
    [2, 'MG_OPTION_VALUE', ['--stop-token', '99']],
    [2, 'MG_CLI_VALUE', ['--top-p', '2']],
    [2, 'MG_CLI_VALUE', ['--ascii-only', 'maybe']],
    [2, 'MG_CLI_VALUE', ['--bias', 'a']],
    [2, 'MG_CLI_VALUE', ['--bias', 'é=1']],
    [2, 'MG_CLI_SCENARIO', ['--scenario', 'nowhere']],
    [3, 'MG_FILE_MISSING', ['--scenario', 'names']],
    [3, 'MG_FILE_MISSING', ['--exclude', 'nowhere.txt']],
  ])('exit %i, %s: %j', async (code, name, args) => {
    const outcome = await generate(args);
    expect(outcome).toMatchObject({ code, stdout: '' });
    expect(outcome.stderr).toContain(`error ${name}: `);
  });
});

test('filters', async () => {
  const [greedy, ...same] = await Promise.all(
    [
      ['-t', '0'],
      ['--topk', '1'],
      ['--top-p', '0'],
      ['--min-p', '1'],
      ['--temp', '0'],
    ].map((args) => generate(['-n', '2', ...args])),
  );
  for (const { stdout } of same) expect(stdout).toBe(greedy.stdout);
  const banned = await generate(['-n', '50', '--bias', 'a=-inf', '--bias', 'e=-inf', '--bias', 'z=30']);
  expect(banned.stdout).not.toMatch(/[ae]/);
  expect(banned.stdout.match(/z/g)!.length).toBeGreaterThan(50);
  const stopped = await generate(['-n', '30', '--stop', 'an', '--stop', 'i']);
  expect(stopped.stdout).not.toMatch(/an|i/);
  const ended = await generate(['-n', '30', '--stop-token', '1']); // the letter a
  expect(ended.stdout).not.toMatch(/a/);
  const repeats = (text: string) => lines(text).reduce((sum, line) => sum + line.length - new Set(line).size, 0);
  const [free, penalised] = await Promise.all(
    ['1', '9'].map((x) => generate(['-n', '40', '--repetition-penalty', x, '--repetition-window', '8'])),
  );
  expect(repeats(penalised.stdout)).toBeLessThan(repeats(free.stdout) / 2);
});

test('longer than the context', async () => {
  const { stdout } = await generate(['--chain', '--no-stop-at-bos', '--max-tokens', '300']);
  expect(lines(stdout)).toHaveLength(1);
  expect(stdout.length).toBeGreaterThan(100);
  expect(
    (await generate(['--chain-context', '5', '--no-stop-at-bos', '--max-chars', '40'])).stdout.length,
  ).toBeLessThanOrEqual(41);
  const cut = await generate(['-n', '1', '--prompt', 'abcdefghijklm']);
  expect(cut.stderr).toContain('the prompt has 13 tokens and the context holds 7 after BOS');
  const chained = await generate(['--chain', '--prompt', 'abcdefghijklm']);
  expect(chained.stderr).not.toContain('the context holds');
});

describe('as the Rust system', () => {
  const expected = JSON.parse(readFileSync(join(rust, 'expected.json'), 'utf8')) as Record<string, string[]>;
  test.each(Object.keys(expected).filter((key) => key.startsWith('generate_')))('%s', async (key) => {
    const [, temperature, seed, n] = /^generate_t([\d.]+)_seed(\d+)_n(\d+)$/.exec(key)!;
    const { stdout } = await generate([
      '--model-dir',
      rust,
      '--compat',
      'rust',
      '--temperature',
      temperature,
      '--seed',
      seed,
      '--num-samples',
      n,
    ]);
    expect(lines(stdout)).toEqual(expected[key]);
  });
  test('control: our own draws are others, and small seeds do not all begin with "a"', async () => {
    const { stdout } = await generate(['--model', rust, '-n', '20']);
    expect(lines(stdout)).not.toEqual(expected['generate_t0.5_seed42_n20']);
    expect(new Set(lines(stdout).map((line) => line[0])).size).toBeGreaterThan(3);
  });
});

describe('as the byte-level trainer', () => {
  /** What its recorded session shows for a command. */
  const transcript = readFileSync(join(fixtures, 'prefix-bin/transcript.txt'), 'utf8');
  function recorded(command: string): string {
    const at = transcript.indexOf(`$ train_gpt ${command}\n`);
    expect(at, command).toBeGreaterThanOrEqual(0);
    const text = transcript.slice(transcript.indexOf('\n', at) + 1, transcript.indexOf('[exit 0]', at));
    return text.replace(/^loaded checkpoint .*\n/, '');
  }

  test.each([
    [
      '--load ckpt_d16_l2_step20 --steps 0 --prompt The  --gen 60 --temp 0.8 --escape-bytes 1',
      '--prompt|The |--gen|60|--temp|0.8|--escape-bytes|1',
    ],
    [
      '--load ckpt_d16_l2_step20 --steps 0 --prompt The  --gen 30 --topk 1 --escape-bytes 1',
      '--prompt|The |--gen|30|--topk|1|--escape-bytes|1',
    ],
  ])('%s', async (command, args) => {
    const { stdout } = await generate(['--compat', 'cpp', '--load', cpp('ckpt_d16_l2_step20'), ...args.split('|')]);
    expect(stdout).toBe(recorded(command));
  });

  test('always exactly so many bytes, whatever they are; nothing without a prompt', async () => {
    const args = ['--compat', 'cpp', '--load', cpp('ckpt_d16_l2_step20'), '--gen', '50'];
    const { stdout } = await generate([...args, '--prompt', 'ab', '--escape-bytes', '1']);
    expect(stdout.replace(/\\x[0-9A-F]{2}/g, '?')).toHaveLength(2 + 50 + 1);
    expect((await generate(args)).stdout).toBe('\n');
    const ascii = await generate([...args, '--prompt', 'ab', '--ascii-only', '1', '--escape-bytes', '1']);
    expect(ascii.stdout).not.toContain('\\x');
    expect(ascii.stdout).toMatch(/^[\t\n\r -~]{53}$/);
  });

  test('the likeliest next tokens, in its form', async () => {
    const args = [
      '--compat',
      'cpp',
      '--load',
      cpp('ckpt_d16_l2_step20'),
      '--prompt',
      'The ',
      '--gen',
      '2',
      '--print-next-top',
      '2',
    ];
    const entry = String.raw` {2}\d\) id=\d+ {2}p=0\.\d{1,7} {2}tok='.'\n`;
    const top = String.raw`\nTop-2 next tokens \(after temperature, before sampling\):\n${entry}${entry}`;
    const once = await generate([...args, '--escape-bytes', '1']);
    expect(once.stdout).toMatch(new RegExp(String.raw`^The ${top}(\\x..|.){2}\n$`));
    const each = await generate([...args, '--escape-bytes', '1', '--print-next-top-each-step', '1']);
    const steps = [0, 1].map((i) => String.raw`\n\[gen step ${i}\]${top}(\\x..|.)`);
    expect(each.stdout).toMatch(new RegExp(`^The ${steps.join('')}\n$`));
  });
});

test('bytes that are no characters become U+FFFD, unless they are asked for as they are', async () => {
  const { stdout } = await generate(['--model', cpp('ckpt_d16_l2_step20'), '--prompt', 'The ', '-n', '3', '-t', '1.5']);
  expect(stdout).toContain('\ufffd');
  const clean = await generate([
    '--model',
    cpp('ckpt_d16_l2_step20'),
    '--prompt',
    'The ',
    '-n',
    '3',
    '-t',
    '1.5',
    '--matches',
    'The .{3,8}',
  ]);
  expect(clean.stdout).not.toContain('\ufffd');
  expect(lines(clean.stdout)).toHaveLength(3);
});
