// A run that was stopped, or killed, and goes on computes to the bit what it would have computed without the interruption.
import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { decodeModel } from '../src/checkpoint/decode.js';
import { seeded } from './chaos/seed.js';
import { microgpt, ROOT, temporaryFolder } from './cli.js';
import { corpusTest } from './corpora.js';
import { FULL } from './golden.js';

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The checkpoint of a step (weights, m, v, settings, state of the loop) and the log up to there. */
const left = (run: string, step: number) => [
  sha256(join(run, `checkpoints/step-${String(step).padStart(8, '0')}.safetensors`)),
  sha256(join(run, 'metrics.jsonl')),
];

async function train(cwd: string, ...args: string[]) {
  const outcome = await microgpt(['train', ...args, '--samples', FULL ? '1' : '0'], { cwd });
  expect(outcome.code, outcome.stderr).toBe(0);
  return outcome;
}

/** 2·half steps at once against half + half, the second half with another number of threads. */
async function straightAndHalved(what: string[], half: number, threads: readonly number[] = [1, 2]): Promise<void> {
  const cwd = temporaryFolder();
  const steps = ['--steps', String(2 * half)];
  // Names make steps too small to be shared; they are here for their recipe.
  const shares = what[0] !== 'names' && !what.includes('reference');
  const machine = (n: number) => (n === 1 ? '1 thread,' : shares ? `up to ${n} threads,` : `1 thread, not ${n}:`);
  await train(cwd, ...what, ...steps, '--run', 'straight', '--threads', String(threads[0]));
  const expected = left(join(cwd, 'straight'), 2 * half);
  for (const [i, count] of threads.entries()) {
    const run = `halved-${count}`;
    await train(
      cwd,
      ...what,
      ...steps,
      '--run',
      run,
      '--threads',
      String(threads.at(-1 - i)),
      '--stop-after',
      String(half),
    );
    const { stderr } = await train(cwd, '--resume', run, '--threads', String(count));
    expect(stderr).toContain(` backend, ${machine(count)}`);
    expect(left(join(cwd, run), 2 * half), `${what.join(' ')}, ${count} threads`).toEqual(expected);
    expect(sha256(join(cwd, run, 'model.safetensors'))).toBe(sha256(join(cwd, 'straight/model.safetensors')));
  }
}

const PLAIN = 'rex bella milo luna rocky bruno nala simba coco daisy'.split(' ').join('\n');

describe('half, and the other half later', { timeout: FULL ? 300_000 : 60_000 }, () => {
  const half = FULL ? 100 : 8;
  const quicker = FULL ? [] : ['--eval-every', '8']; // each look at the held-out text costs as much as many steps
  const threads = FULL ? [1, 2, 4] : [1, 2];
  const backends = FULL ? ['wasm', 'reference'] : ['wasm'];
  test.each(
    ['names', 'bytes', 'chat', 'stories'].flatMap((scenario) =>
      backends.map((backend): [string, string] => [scenario, backend]),
    ),
  )('%s on %s', async (scenario, backend) => {
    const small = backend === 'reference' && scenario !== 'names' ? ['--n-embd', '16', '--block-size', '32'] : [];
    await straightAndHalved(
      [scenario, '--backend', backend, ...small, ...(scenario === 'names' ? [] : quicker)],
      half,
      backend === 'wasm' ? threads : [1, 4], // one thread, whatever is asked for
    );
  });

  corpusTest(
    'alice',
    'alice.txt',
    async (path) => {
      for (const backend of backends) {
        const counts = !FULL ? [1, 2] : backend === 'wasm' ? threads : [1, 4];
        await straightAndHalved(['alice', '--data', path, '--backend', backend], half, counts);
      }
    },
    300_000,
  );

  test('with everything on: dropout, clipping, accumulation, validation, warm-up, and saves in between', async () => {
    const what =
      'stories --dropout 0.1 --clip 0.5 --grad-accum 3 --batch-size 6 --eval-every 7 --warmup 9 --save-every 6';
    await straightAndHalved(what.split(' '), half);
  });

  test('the scalar engine too', async () => {
    await straightAndHalved(['names', '--backend', 'value', '--n-embd', '8', '--n-head', '2'], 4, [1]);
  });
});

test('saving is invisible', async () => {
  const cwd = temporaryFolder();
  const what = ['stories', '--steps', '21'];
  await train(cwd, ...what, '--run', 'never');
  for (const every of ['1', '7']) await train(cwd, ...what, '--run', every, '--save-every', every);
  for (const every of ['1', '7']) expect(left(join(cwd, every), 21)).toEqual(left(join(cwd, 'never'), 21));
});

describe('kill -9 again and again, then to the end', () => {
  const kills = FULL ? 10 : 5;
  const steps = FULL ? 500 : 250; // a process comes 40 steps further at most
  /** Saves every few steps; each process is killed at one of its calls that change the disk, by number, whatever the machine's speed. */
  async function killedAndStraight(...what: string[]): Promise<void> {
    const random = seeded(what.join(' '), what.join(' ').length);
    const cwd = temporaryFolder();
    const all = [...what, '--steps', String(steps), '--save-every', '5', '-n', '0'];
    await train(cwd, ...all, '--run', 'straight');
    const started = () =>
      readdirSync(cwd).includes('killed') && readdirSync(join(cwd, 'killed')).includes('checkpoints');
    const steppedAt: number[] = [];
    for (let done = 0; done < kills; done++) {
      const how = started() ? ['--resume', 'killed', '--save-every', '5'] : [...all, '--run', 'killed', '--overwrite'];
      const env = {
        NODE_OPTIONS: `--import=${pathToFileURL(join(ROOT, 'test/programs/kill-at-write.mjs')).href}`,
        MG_KILL_AT: String(10 + Math.floor(70 * random())),
        MG_KILL_DURING: random() < 0.5 ? '1' : '0',
      };
      const { code, signal, stderr } = await microgpt(['train', ...how], { cwd, env });
      expect([code, signal], stderr).toEqual([null, 'SIGKILL']);
      expect(stderr).not.toContain('error');
      const names = started() ? readdirSync(join(cwd, 'killed/checkpoints')) : [];
      steppedAt.push(
        Number(
          /\d+/.exec(
            names
              .filter((name) => !name.startsWith('.'))
              .sort()
              .at(-1) ?? '0',
          ),
        ),
      );
    }
    console.log(`${what.join(' ')}: saved up to step ${steppedAt.join(', ')}`);
    expect(new Set(steppedAt).size).toBeGreaterThan(FULL ? 4 : 1); // not always at the same step
    await train(cwd, '--resume', 'killed', '-n', '0');
    expect(left(join(cwd, 'killed'), steps)).toEqual(left(join(cwd, 'straight'), steps));
  }

  const timeout = 180_000;
  test('names', { timeout }, () => killedAndStraight('names', '--n-embd', '32', '--batch-size', '64'));
  if (!FULL) return;
  test('bytes', { timeout }, () => killedAndStraight('bytes'));
  test('chat', { timeout }, () => killedAndStraight('chat', '--n-embd', '32'));
  test('names on reference', { timeout }, () => killedAndStraight('names', '--backend', 'reference'));
  for (const scenario of ['bytes', 'chat']) {
    const small = ['--backend', 'reference', '--n-embd', '16', '--block-size', '32'];
    test(`${scenario} on reference`, { timeout }, () => killedAndStraight(scenario, ...small));
  }
  corpusTest('alice', 'alice.txt', (path) => killedAndStraight('alice', '--data', path), timeout);
  corpusTest(
    'alice on reference',
    'alice.txt',
    (path) => killedAndStraight('alice', '--data', path, '--backend', 'reference'),
    timeout,
  );
});

describe('a run goes on only as it was begun', () => {
  async function begun(): Promise<string> {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'pets.txt'), PLAIN);
    await train(cwd, '--data', 'pets.txt', '--run', 'r', '--steps', '20', '--stop-after', '10');
    return cwd;
  }

  test('other text, settings, seed or backend: refused by name with both values', async () => {
    const cwd = await begun();
    for (const [flags, what] of [
      [['--lr', '0.5'], 'adam.learningRate'],
      [['--seed', '7'], 'seed 42, not 7'],
      [['--backend', 'reference'], 'backend wasm, not reference'],
      [['--n-embd', '8'], 'model.nEmbd'],
      [['--steps', '30'], 'steps 20, not 30'],
    ] as const) {
      const outcome = await microgpt(['train', '--resume', 'r', ...flags], { cwd });
      expect(outcome).toMatchObject({ code: 3, stderr: expect.stringContaining('error MG_RESUME_CHANGED') });
      expect(outcome.stderr).toContain(what);
    }
    appendFileSync(join(cwd, 'pets.txt'), '\nrex');
    const changed = await microgpt(['train', '--resume', 'r'], { cwd });
    expect(changed).toMatchObject({ code: 3, stderr: expect.stringContaining('sha256 was') });
    expect((await microgpt(['train', '--resume', 'r', '--allow-changed', 'data'], { cwd })).code).toBe(0);
  });

  test('a model without the state of its run cannot go on; another run can start from it', async () => {
    const cwd = await begun();
    await train(cwd, '--resume', 'r');
    const newest = join(cwd, 'r/checkpoints/step-00000020.safetensors');
    copyFileSync(join(cwd, 'r/model.safetensors'), newest);
    expect(decodeModel(readFileSync(newest), newest).checkpoint.optimizer).toBeUndefined();
    writeFileSync(
      join(cwd, 'r/run.json'),
      readFileSync(join(cwd, 'r/run.json'), 'utf8').replace('"finished": 20', '"finished": null'),
    );
    const outcome = await microgpt(['train', '--resume', 'r'], { cwd });
    expect(outcome.stderr).toMatch(
      /MG_RESUME_IMPOSSIBLE|MG_CKPT_SKIPPED|MG_RUN_NO_CHECKPOINT|not the state of a training run/,
    );
    const tuned = await train(cwd, '--data', 'pets.txt', '--init-from', 'r', '--steps', '5', '--run', 'tuned');
    expect(tuned.stderr).toContain('saved tuned/model.safetensors');
  });
});

test('every scenario that needs no network trains', async () => {
  const cwd = temporaryFolder();
  for (const scenario of ['names', 'stories', 'chat', 'bytes']) {
    const { stderr } = await train(cwd, scenario, '--steps', '2');
    expect(stderr).toContain(`saved models/${scenario}/model.safetensors`);
  }
  expect(readdirSync(join(ROOT, 'scenarios')).sort()).toEqual([
    'alice.json',
    'bytes.json',
    'chat.json',
    'names.json',
    'stories.json',
  ]);
});
