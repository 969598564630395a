// Training under mpirun: the bits of one process, going on with another number of ranks, and what happens when a rank dies or differs.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, type FSWatcher, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openBlas } from '../src/node/blas/index.js';
import { microgpt, ROOT, temporaryFolder } from './cli.js';
import { FULL } from './golden.js';
import { COMMON, mpiMissing, mpirun, onRanks, ranksOf } from './mpi.js';
import { describeWith, testFull, testOn } from './needs.js';

const missing = await mpiMissing();
const BIN = join(ROOT, 'bin/microgpt.js');
/** Held-out text, dropout and clipping, so that all that ranks share is shared. */
const JOB = [
  ...[
    'train',
    'names',
    '--recipe',
    'standard',
    '--n-embd',
    '16',
    '--n-head',
    '2',
    '--n-layer',
    '1',
    '--block-size',
    '16',
  ],
  ...[
    '--steps',
    '24',
    '--batch-size',
    '13',
    '--eval-every',
    '8',
    '--dropout',
    '0.1',
    '--clip',
    '0.5',
    '--samples',
    '0',
  ],
  ...['--threads', '1'],
];

/** Everything that a run computed, as bytes. */
function results(cwd: string, run: string): string[] {
  const checkpoints = readdirSync(join(cwd, run, 'checkpoints')).sort();
  const files = [
    'model.safetensors',
    'best.safetensors',
    'metrics.jsonl',
    ...checkpoints.map((f) => `checkpoints/${f}`),
  ];
  return files.map((file) => `${file} ${readFileSync(join(cwd, run, file)).toString('base64')}`);
}

/** Calls `act` once, when the run has a save. */
function whenSaved(folder: string, act: () => void): void {
  const timer = setInterval(() => {
    const saves = join(folder, 'checkpoints');
    if (!existsSync(saves) || readdirSync(saves).every((file) => !file.endsWith('.safetensors'))) return;
    clearInterval(timer);
    act();
  }, 20);
  onTestFinished(() => clearInterval(timer));
}

/** Calls `act` once, while the run writes a save. */
function whileSaving(folder: string, act: () => void): void {
  const saves = join(folder, 'checkpoints');
  let watcher: FSWatcher | null = null;
  const timer = setInterval(() => {
    if (!existsSync(saves)) return;
    clearInterval(timer);
    watcher = watch(saves, (_, file) => {
      if (file === null || !/^\.step-.*\.tmp$/.test(file)) return;
      watcher?.close();
      act();
    });
  }, 2);
  onTestFinished(() => {
    clearInterval(timer);
    watcher?.close();
  });
}

const good = (outcome: { code: number | null; stderr: string }) => expect(outcome.code, outcome.stderr).toBe(0);

describeWith(missing, 'under mpirun', () => {
  test.each(FULL ? [2, 3, 4] : [3])('%i ranks leave the bits of one process with as many parts', async (n) => {
    const cwd = temporaryFolder();
    good(await microgpt([...JOB, '--run', 'alone', '--grad-accum', String(n)], { cwd }));
    const outcome = await onRanks(n, [...JOB, '--run', 'ranks'], { cwd });
    good(outcome);
    expect(results(cwd, 'ranks')).toEqual(results(cwd, 'alone'));
    expect(outcome.stderr).toContain(`${n} processes train this model together`);
    expect(outcome.stderr.match(/^saved /gm)).toHaveLength(1);
    expect(outcome.stderr).not.toContain('MG_MPI_LOST');
    // A negative control: another number of parts is another run.
    good(await microgpt([...JOB, '--run', 'other', '--grad-accum', String(n + 1)], { cwd }));
    expect(results(cwd, 'other')[0]).not.toBe(results(cwd, 'alone')[0]);
  });

  testFull('five parts on two ranks, stopped, gone on with on three and then alone', async () => {
    const cwd = temporaryFolder();
    const job = [...JOB, '--grad-accum', '5'];
    good(await microgpt([...job, '--run', 'alone'], { cwd }));
    good(await onRanks(2, [...job, '--run', 'run', '--stop-after', '10'], { cwd }));
    expect(readdirSync(join(cwd, 'run/checkpoints'))).toEqual(['step-00000010.safetensors']);
    good(await onRanks(3, ['train', '--resume', 'run', '--stop-after', '17'], { cwd }));
    good(await microgpt(['train', '--resume', 'run', '--samples', '0'], { cwd }));
    const last = (run: string) => results(cwd, run).filter((file) => !file.startsWith('checkpoints/step-00000017'));
    expect(last('run')).toEqual(last('alone'));
    good(await microgpt([...JOB, '--run', 'whole'], { cwd }));
    good(await microgpt([...JOB, '--run', 'part', '--stop-after', '5'], { cwd }));
    const idle = await onRanks(2, ['train', '--resume', 'part'], { cwd });
    good(idle);
    expect(idle.stderr).toContain('the batches of this run have 1 parts: 1 of the processes have none to compute');
    const model = (run: string) => results(cwd, run).slice(0, 3);
    expect(model('part')).toEqual(model('whole'));
    const again = await onRanks(2, ['train', '--resume', 'run'], { cwd });
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('is finished') });
  });

  test('ranks with different texts, too small a batch and a time to measure are refused, and said once', async () => {
    const cwd = temporaryFolder();
    for (const name of ['a', 'b']) writeFileSync(join(cwd, `${name}.txt`), `ann\nbea\ncle${name}\ndoe\n`);
    const train = (file: string) => ['train', '--data', file, '--run', 'run', '--steps', '5', '--batch-size', '4'];
    const different = await mpirun([...ranksOf(1, train('a.txt')), ':', ...ranksOf(1, train('b.txt'))], { cwd });
    expect(different.code).toBe(3);
    expect(existsSync(join(cwd, 'run'))).toBe(false);
    expect(
      different.stderr.match(/error MG_MPI_DIFFERENT: the text of process 1 and of process 0 differ/g),
    ).toHaveLength(1);

    const small = await onRanks(3, ['train', 'names', '--run', 'run', '--batch-size', '2'], { cwd });
    expect(small.code).toBe(2);
    expect(small.stderr.match(/error MG_OPTION_VALUE: a batch of 2 in 2 parts cannot be shared among 3/g)).toHaveLength(
      1,
    );

    const timed = await onRanks(2, ['train', 'names', '--time', '1m'], { cwd });
    expect(timed.code).toBe(2);
    expect(timed.stderr).toContain('--time cannot be measured by several processes');
  });

  test('only rank 0 needs the file with the weights that training starts from', async () => {
    const cwd = temporaryFolder();
    const elsewhere = temporaryFolder();
    // Numbers of the earlier programs' format are f64: they must not become f32 on the way.
    const first = ['train', 'names', '--steps', '3', '--backend', 'value', '--samples', '0', '--run', 'first'];
    good(await microgpt([...first, '--output', 'first.json'], { cwd }));
    const job = ['train', 'names', '--init-from', 'first.json', '--batch-size', '4', '--steps', '6', '--samples', '0'];
    const alone = await microgpt([...job, '--grad-accum', '2', '--run', 'alone'], { cwd });
    good(alone);
    const started = (words: readonly string[]) => [
      ...['-n', '2', 'sh', '-c', `test $OMPI_COMM_WORLD_RANK = 0 || cd ${elsewhere}; exec ${words.join(' ')}`],
    ];
    const command = (words: readonly string[]) => started([process.execPath, BIN, ...words]);
    good(await mpirun(command([...job, '--run', 'ranks', '--stop-after', '4', '--save-every', '100']), { cwd }));
    good(await mpirun(command(['train', '--resume', 'ranks', '--samples', '0']), { cwd }));
    expect(existsSync(join(elsewhere, 'first.json'))).toBe(false);
    const model = (run: string) => readFileSync(join(cwd, run, 'model.safetensors')).toString('base64');
    expect(model('ranks')).toBe(model('alone'));
    const nowhere = await mpirun(
      command([...job.map((word) => (word === 'first.json' ? 'none.json' : word)), '--run', 'x']),
      {
        cwd,
      },
    );
    expect(nowhere.stderr.match(/error MG_FILE_MISSING/g)).toHaveLength(1);
  });

  test('a library that one rank lacks is said once, and --accelerate is decided by rank 0', async () => {
    const cwd = temporaryFolder();
    const job = [...JOB.map((word) => (word === '24' ? '4' : word)), '--accelerate', 'blas', '--run'];
    const rank = (run: string, ...env: string[]) => ['-n', '1', 'env', ...env, ...ranksOf(1, [...job, run]).slice(2)];
    const without = 'MICROGPT_BLAS=/no/such/library';
    if (FULL) {
      const first = await mpirun([...rank('first', without), ':', ...rank('first')], { cwd });
      good(first);
      expect(first.stderr.match(/^note: --accelerate blas: .*The Wasm kernels compute instead/gm)).toHaveLength(1);
      good(await onRanks(2, [...JOB.map((word) => (word === '24' ? '4' : word)), '--run', 'plain'], { cwd }));
      expect(results(cwd, 'first')).toEqual(results(cwd, 'plain')); // none of them has it
    }
    const blas = await openBlas({ threads: 1 });
    if ('missing' in blas) return;
    const second = await mpirun([...rank('second'), ':', ...rank('second', without)], { cwd });
    good(second);
    expect(second.stderr).toContain(`note: process 1 cannot have ${blas.found.about}: the bits`);
  });

  /** Whom to kill, when, and how many ranks go on. */
  const KILLED = [
    [1, 'after a save', 1],
    [0, 'after a save', 3],
    [0, 'before the first save', 2],
    [1, 'before the first save', 2],
    [0, 'when it is written', 1],
    [1, 'when it is written', 2],
  ] as const;

  test.each(FULL ? KILLED : KILLED.slice(0, 1))(
    'rank %i is killed %s: a message, a whole save, and %i rank(s) go on to the same bits',
    async (rank, when, then) => {
      const cwd = temporaryFolder();
      const every = when === 'before the first save' ? '1000000' : '10';
      const job = [...JOB.map((word) => (word === '24' ? '1000000' : word)), '--save-every', every, '--run', 'run'];
      const script = `echo $$ > rank$OMPI_COMM_WORLD_RANK; exec ${process.execPath} ${BIN} ${job.join(' ')}`;
      let killed = false;
      const kill = () => {
        killed = process.kill(Number(readFileSync(join(cwd, `rank${rank}`), 'utf8')), 'SIGKILL');
      };
      if (when === 'after a save') whenSaved(join(cwd, 'run'), kill);
      if (when === 'when it is written') whileSaving(join(cwd, 'run'), kill);
      const onStderr = (text: string) => {
        if (when === 'before the first save' && !killed && /^step +\d/m.test(text)) kill();
      };
      // Time for the message also on a machine that is busy; mpirun waits twice as long, whether or not anyone is left.
      const patience = ['--mca', 'odls_base_sigkill_timeout', FULL ? '5' : '2'];
      const outcome = await mpirun([...patience, '-n', '2', 'sh', '-c', script], { cwd, onStderr });
      expect(killed).toBe(true);
      expect(outcome.code).not.toBe(0);
      expect(outcome.stderr).toMatch(new RegExp(`rank ${rank} .*exited on signal 9`));
      const last = readdirSync(join(cwd, 'run/checkpoints'))
        .filter((name) => name.endsWith('.safetensors'))
        .sort()
        .at(-1);
      expect(outcome.stderr.match(/^error MG_/gm), outcome.stderr).toHaveLength(1);
      expect(outcome.stderr).toContain(
        `error MG_MPI_LOST: process ${rank} is gone, and the others cannot go on without`,
      );
      const saved = Number(/\d+/.exec(last ?? '0')?.[0]);
      if (every === '10' && when === 'after a save') expect(saved).toBeGreaterThan(0);
      const told =
        /→ (?:step ([\d,]+) is saved in run|nothing was saved yet); go on, .*: microgpt train --resume run$/m.exec(
          outcome.stderr,
        );
      expect(told, outcome.stderr).not.toBeNull();
      const toldStep = Number(told?.[1]?.replaceAll(',', '') ?? 0);
      // Rank 0 may have finished a save while it was said that rank 1 is gone.
      expect(rank === 0 ? [saved] : [saved, saved - 10]).toContain(toldStep);

      const step = saved + 7;
      const file = `checkpoints/step-${String(step).padStart(8, '0')}.safetensors`;
      const goOn = ['train', '--resume', 'run', '--stop-after', String(step)];
      good(then === 1 ? await microgpt(goOn, { cwd }) : await onRanks(then, goOn, { cwd }));
      const alone = [...job.slice(0, -1), 'alone', '--grad-accum', '2', '--stop-after', String(step)];
      good(await microgpt(alone, { cwd }));
      expect(readFileSync(join(cwd, 'run', file)).equals(readFileSync(join(cwd, 'alone', file)))).toBe(true);
    },
  );

  // mpirun waits twice the given time, whether or not anyone is left.
  testFull('a signal to mpirun stops all ranks after the same step, which is saved', async () => {
    const cwd = temporaryFolder();
    const job = [...JOB.map((word) => (word === '24' ? '1000000' : word)), '--save-every', '10', '--run', 'run'];
    let stop = (): void => {};
    whenSaved(join(cwd, 'run'), () => stop());
    const outcome = await mpirun(['--mca', 'odls_base_sigkill_timeout', '10', ...ranksOf(2, job)], {
      cwd,
      onStderr: (_, kill) => {
        stop = () => kill('SIGTERM');
      },
    });
    expect(outcome.stderr).toMatch(/saved step [\d,]+ of 1,000,000 in run/);
    const step = /saved step ([\d,]+) of/.exec(outcome.stderr)?.[1]?.replaceAll(',', '') ?? '';
    const newest = readdirSync(join(cwd, 'run/checkpoints')).sort().at(-1);
    expect(newest).toBe(`step-${step.padStart(8, '0')}.safetensors`);
    expect(outcome.stderr).not.toContain('is gone');
  });

  const namespaces = FULL && spawnSync('ip', ['netns', 'add', 'microgpt-probe']).status === 0;
  if (namespaces) spawnSync('ip', ['netns', 'delete', 'microgpt-probe']);
  const unmade = FULL && !namespaces ? ' (skipped: network namespaces cannot be made here)' : '';

  // Not every place that has everything installed lets a test make networks: no failure under CI=true.
  (unmade === '' ? testFull : test.skip)(`two machines over TCP, played by network namespaces${unmade}`, async () => {
    const cwd = temporaryFolder();
    const ip = (line: string) => {
      const { status, stderr } = spawnSync('ip', line.split(' '), { encoding: 'utf8' });
      expect(status, `ip ${line}: ${stderr}`).toBe(0);
    };
    const hosts = { '10.77.0.1': 'mgpt-a', '10.77.0.2': 'mgpt-b' };
    onTestFinished(() => {
      for (const name of Object.values(hosts)) spawnSync('ip', ['netns', 'delete', name]);
    });
    for (const name of Object.values(hosts)) ip(`netns add ${name}`);
    ip('link add mgpt-a netns mgpt-a type veth peer name mgpt-b netns mgpt-b');
    for (const [address, name] of Object.entries(hosts)) {
      ip(`-n ${name} addr add ${address}/24 dev ${name}`);
      for (const device of [name, 'lo']) ip(`-n ${name} link set ${device} up`);
    }
    // In the place of ssh.
    const agent = join(cwd, 'agent.sh');
    const cases = Object.entries(hosts).map(([address, name]) => `${address}) exec ip netns exec ${name} sh -c "$*";;`);
    writeFileSync(agent, `#!/bin/sh\nhost=$1; shift\ncase $host in ${cases.join(' ')} esac\n`);
    chmodSync(agent, 0o755);
    const only = '10.77.0.0/24';
    const network = [
      '--mca',
      'plm_rsh_agent',
      agent,
      '--mca',
      'pml',
      'ob1',
      '--mca',
      'btl',
      'self,tcp',
      '--mca',
      'btl_tcp_if_include',
      only,
      '--mca',
      'oob_tcp_if_include',
      only,
    ];
    const where = join(cwd, 'where');
    const script = `ip -brief address >> ${where}; exec ${process.execPath} ${BIN} ${[...JOB, '--run', 'ranks'].join(' ')}`;
    const args = ['netns', 'exec', 'mgpt-a', 'mpirun', ...COMMON, '--host', Object.keys(hosts).join(), ...network];
    const outcome = spawnSync('ip', [...args, '-n', '2', 'sh', '-c', script], {
      cwd,
      encoding: 'utf8',
      timeout: 120_000,
      env: { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' },
    });
    expect(outcome.status, outcome.stderr).toBe(0);
    for (const address of Object.keys(hosts)) expect(readFileSync(where, 'utf8')).toContain(address);
    good(await microgpt([...JOB, '--run', 'alone', '--grad-accum', '2'], { cwd }));
    expect(results(cwd, 'ranks')).toEqual(results(cwd, 'alone'));
  });
});

testOn('Linux', 'without mpirun and --accelerate, none of this is loaded', async () => {
  const cwd = temporaryFolder();
  const script = (
    ...flags: string[]
  ) => `const { main } = await import(${JSON.stringify(join(ROOT, 'dist/cli/main.js'))});
    await main(${JSON.stringify(['train', 'names', '--steps', '2', '--batch-size', '2', '--samples', '0', '--overwrite', ...flags])});
    const { readFileSync } = await import('node:fs');
    console.log([...new Set(readFileSync('/proc/self/maps', 'utf8').match(/koffi|libmpi|openblas/g))].sort().join());`;
  const loaded = async (...flags: string[]) => {
    const { stdout } = await mpiless(['--input-type=module', '-e', script(...flags)], cwd);
    return stdout.trim();
  };
  expect(await loaded()).toBe('');
  // The check can see it: with the flag, the package at least is there, where it is installed.
  if (missing === null) expect(await loaded('--accelerate', 'auto')).toContain('koffi');
});

async function mpiless(args: readonly string[], cwd: string) {
  const { runCommand } = await import('./cli.js');
  return runCommand(process.execPath, args, { cwd });
}
