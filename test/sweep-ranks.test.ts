// microgpt sweep under mpirun: groups of ranks share the trials, which have the bits that they have alone; going on; what is refused.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { microgpt, temporaryFolder } from './cli.js';
import { FULL } from './golden.js';
import { mpiMissing, mpirun, onRanks, ranksOf } from './mpi.js';
import { describeWith, testFull } from './needs.js';

const missing = await mpiMissing();
const SWEEP = {
  scenario: 'names',
  fixed: {
    recipe: 'standard',
    steps: 12,
    'n-layer': 1,
    'n-embd': 8,
    'batch-size': 4,
    'block-size': 8,
    'eval-every': 6,
  },
  vary: { lr: [0.001, 0.01], 'n-head': [1, 3] },
};

function sweepFile(sweep: object = SWEEP): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'mine.json'), JSON.stringify(sweep));
  return cwd;
}

/** Every run of a sweep that has a model, by its learning rate. */
function models(folder: string): Record<string, string> {
  const runs = join(folder, 'runs');
  const entries = readdirSync(runs).map((id) => {
    const record = JSON.parse(readFileSync(join(runs, id, 'run.json'), 'utf8'));
    const rate = String(record.settings.settings.adam.learningRate);
    return [rate, readFileSync(join(runs, id, 'model.safetensors')).toString('base64')] as const;
  });
  return Object.fromEntries(entries);
}

/** What `microgpt train` alone makes of a trial. */
async function alone(cwd: string, lr: number, parts: number, fixed: object = SWEEP.fixed): Promise<string> {
  const flags = Object.entries({ ...fixed, lr, 'grad-accum': parts }).flatMap(([name, of]) => [
    `--${name}`,
    String(of),
  ]);
  const run = `alone${parts}-${lr}`;
  const outcome = await microgpt(['train', 'names', ...flags, '--samples', '0', '--run', run], { cwd });
  expect(outcome.code, outcome.stderr).toBe(0);
  return readFileSync(join(cwd, run, 'model.safetensors')).toString('base64');
}

const attempts = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'));

describeWith(missing, 'a sweep under mpirun', () => {
  test.each(
    FULL
      ? ([
          [2, 1],
          [4, 1],
          [4, 2],
          [4, 4],
        ] as const)
      : ([
          [2, 1],
          [4, 2],
        ] as const),
  )('%i ranks, %i to a trial: one table, every trial once, the bits of a run alone', async (n, each) => {
    const cwd = sweepFile();
    const words = ['sweep', 'mine.json', ...(each === 1 ? [] : ['--ranks-per-trial', String(each)])];
    const first = await onRanks(n, words, { cwd });
    expect(first.code, first.stderr).toBe(0);
    const rows = first.stdout.trimEnd().split('\n');
    expect(rows.filter((row) => row.includes('validation loss'))).toHaveLength(1);
    expect(rows.filter((row) => row.includes('sweeps/mine/runs/'))).toHaveLength(4);
    // What cannot be is listed, and did not end the sweep.
    expect(rows.filter((row) => row.includes('error MG_CONFIG_INVALID'))).toHaveLength(2);
    expect(attempts(join(cwd, 'sweeps/mine'))).toHaveLength(4);
    expect(existsSync(join(cwd, 'sweeps/mine/sweep.html'))).toBe(true);
    expect(existsSync(join(cwd, 'sweeps/mine/taken'))).toBe(false);
    const made = models(join(cwd, 'sweeps/mine'));
    expect(Object.keys(made).sort()).toEqual(['0.001', '0.01']);
    expect(made['0.01']).toBe(await alone(cwd, 0.01, each));
    if (each > 1) expect(made['0.01']).not.toBe(await alone(cwd, 0.01, 1)); // the check sees other parts

    const again = await onRanks(n, words, { cwd });
    expect(again.stderr).toContain('4 trials, 4 done');
    expect(attempts(join(cwd, 'sweeps/mine'))).toHaveLength(4);
    // And without mpirun the same folder is read.
    const plain = await microgpt(['sweep', 'mine.json'], { cwd });
    expect(plain.stdout.trimEnd().split('\n').sort()).toEqual(rows.sort());
  });

  const ended = (n: number, each: number, signal: 'SIGTERM' | 'SIGKILL') => async () => {
    const fixed = { ...SWEEP.fixed, steps: 6000, 'eval-every': 3000, 'save-every': 50 };
    const cwd = sweepFile({ ...SWEEP, fixed, vary: { lr: [0.001, 0.002, 0.01] } });
    const words = ['sweep', 'mine.json', '--ranks-per-trial', String(each)];
    const runs = join(cwd, 'sweeps/mine/runs');
    const saves = (id: string) => {
      const folder = join(runs, id, 'checkpoints');
      return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.safetensors')) : [];
    };
    // Straight to the ranks: mpirun takes its time to pass a signal on.
    const timer = setInterval(() => {
      if (!existsSync(runs) || readdirSync(runs).filter((id) => saves(id).length > 0).length < 2) return;
      clearInterval(timer);
      for (const rank of signal === 'SIGKILL' ? [n - 1] : Array.from({ length: n }, (_, i) => i))
        process.kill(Number(readFileSync(join(cwd, `rank${rank}`), 'utf8')), signal);
    }, 20);
    onTestFinished(() => clearInterval(timer));
    const script = `echo $$ > rank$OMPI_COMM_WORLD_RANK; exec ${ranksOf(1, words).slice(2).join(' ')}`;
    const patient = ['--mca', 'odls_base_sigkill_timeout', '5'];
    const outcome = await mpirun([...patient, '-n', String(n), 'sh', '-c', script], { cwd });
    expect(outcome.code).not.toBe(0);
    expect(outcome.stderr).toMatch(
      signal === 'SIGTERM'
        ? /of 3 trials left; go on: mpirun -n \d microgpt sweep mine.json/
        : /error MG_MPI_LOST: process \d is gone, .*\n +→ what is finished stays; go on: mpirun -n \d microgpt sweep mine.json/,
    );
    // After a kill the other group may finish while mpirun takes its time.
    const finished = readdirSync(runs).filter((id) => existsSync(join(runs, id, 'model.safetensors'))).length;
    expect(finished).toBeLessThanOrEqual(signal === 'SIGTERM' ? 0 : 2);
    const again = await onRanks(n, words, { cwd });
    expect(again.code, again.stderr).toBe(0);
    const logs = join(cwd, 'sweeps/mine/logs');
    const texts = readdirSync(logs).map((name) => readFileSync(join(logs, name), 'utf8'));
    expect(texts.filter((text) => text.includes('going on with'))).not.toHaveLength(0);
    const made = models(join(cwd, 'sweeps/mine'));
    for (const lr of [0.001, 0.002, 0.01]) expect(made[String(lr)]).toBe(await alone(cwd, lr, each, fixed));
  };
  for (const [n, each, signal] of [
    [2, 1, 'SIGTERM'],
    [4, 2, 'SIGTERM'],
    [2, 1, 'SIGKILL'],
    [4, 2, 'SIGKILL'],
  ] as const)
    testFull(`${signal}: a sweep of ${n} ranks goes on to the same bits`, ended(n, each, signal));

  test('what cannot be is refused once, before anything is trained', async () => {
    const cwd = sweepFile();
    const refused = async (n: number, words: readonly string[], code: number, message: RegExp) => {
      const outcome = await onRanks(n, words, { cwd });
      expect(outcome.code, outcome.stderr).toBe(code);
      expect(outcome.stderr.match(/^error MG_/gm)).toHaveLength(1);
      expect(outcome.stderr).toMatch(message);
    };
    await refused(3, ['sweep', 'mine.json', '--ranks-per-trial', '2'], 2, /3 processes do not make groups of 2/);
    await refused(2, ['sweep', 'mine.json', '--processes', '2'], 2, /--processes 2 is for one machine/);
    writeFileSync(join(cwd, 'bad.json'), '{"vary": {"lr": 3}}');
    await refused(2, ['sweep', 'bad.json'], 2, /MG_SWEEP_INVALID: bad.json: "lr" has no list/);
    expect(existsSync(join(cwd, 'sweeps'))).toBe(false);

    const elsewhere = temporaryFolder();
    const script = `test $OMPI_COMM_WORLD_RANK = 0 || cd ${elsewhere}; exec ${ranksOf(1, ['sweep', 'mine.json']).slice(2).join(' ')}`;
    const apart = await mpirun(['-n', '2', 'sh', '-c', script], { cwd });
    expect(apart.stderr).toContain('MG_MPI_DIFFERENT: process 1 does not see the folder sweeps/mine of process 0');
    expect(existsSync(join(cwd, 'sweeps/mine/runs'))).toBe(false);
  });

  // The other rank waits half a minute for the first, which hangs in its exchange of gradients.
  testFull('a trial that fails on one rank only ends the sweep with its reason', async () => {
    const elsewhere = temporaryFolder();
    const cwd = sweepFile({ fixed: { ...SWEEP.fixed, data: 'own.txt' }, vary: { lr: [0.01] } });
    writeFileSync(join(cwd, 'own.txt'), 'ann\nbea\ncleo\ndoe\n'.repeat(20));
    const words = ['sweep', 'mine.json', '--ranks-per-trial', '2', '--run', join(cwd, 'here')];
    const script = `test $OMPI_COMM_WORLD_RANK = 0 || cd ${elsewhere}; exec ${ranksOf(1, words).slice(2).join(' ')}`;
    const outcome = await mpirun(['-n', '2', 'sh', '-c', script], { cwd });
    expect(outcome.code).toBe(3);
    expect(outcome.stderr).toMatch(/trial 1 failed on process 1 of its group only: error MG_FILE_MISSING/);
  });
});

test('--ranks-per-trial without mpirun says what it is for', async () => {
  const outcome = await microgpt(['sweep', 'mine.json', '--ranks-per-trial', '2'], { cwd: sweepFile() });
  expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('is for a sweep under mpirun') });
});
