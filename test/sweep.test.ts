// microgpt sweep as a user runs it: a bounded number of processes, a table and a page, and going on after Ctrl-C and after kill -9.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { runJobs } from '../src/node/process-pool.js';
import { microgpt, ROOT, temporaryFolder } from './cli.js';

const SWEEP = {
  scenario: 'names',
  fixed: { recipe: 'standard', steps: 20, 'n-layer': 1, 'n-embd': 8, 'batch-size': 4, 'block-size': 8 },
  vary: { lr: [0.001, 0.01], 'n-head': [1, 3] },
  processes: 2,
};

test('trials, failures, the table and the page; nothing is computed twice', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'mine.json'), JSON.stringify(SWEEP));
  const first = await microgpt(['sweep', 'mine.json'], { cwd });
  expect(first.code, first.stderr).toBe(0);
  const rows = first.stdout.trimEnd().split('\n');
  expect(rows).toHaveLength(5);
  expect(rows.filter((row) => row.includes('MG_CONFIG_INVALID'))).toHaveLength(2);
  const losses = rows.slice(1, 3).map((row) => Number(row.trim().split(/\s+/)[3]));
  expect(losses[0]).toBeLessThanOrEqual(losses[1] as number);
  expect(readFileSync(join(cwd, 'sweeps/mine/sweep.html'), 'utf8')).toContain('<svg');

  const attempts = readFileSync(join(cwd, 'sweeps/mine/trials.jsonl'), 'utf8');
  const again = await microgpt(['sweep', 'mine.json'], { cwd });
  expect(again).toMatchObject({ code: 0, stdout: first.stdout });
  expect(readFileSync(join(cwd, 'sweeps/mine/trials.jsonl'), 'utf8')).toBe(attempts);

  // More to try: only what is new runs.
  writeFileSync(join(cwd, 'mine.json'), JSON.stringify({ ...SWEEP, vary: { lr: [0.001, 0.01, 0.1], 'n-head': [1] } }));
  const more = await microgpt(['sweep', 'mine.json'], { cwd });
  expect(more.stderr).toContain('3 trials, 2 done');
  expect(readFileSync(join(cwd, 'sweeps/mine/trials.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(5);
});

test('stopped and called again, trials go on to the bits of a run that was never stopped', async () => {
  const cwd = temporaryFolder();
  const long = { ...SWEEP, fixed: { ...SWEEP.fixed, steps: 400, 'save-every': 50 }, vary: { lr: [0.01] } };
  writeFileSync(join(cwd, 'mine.json'), JSON.stringify(long));
  const runs = join(cwd, 'sweeps/mine/runs');
  const stop = `--import=${pathToFileURL(join(ROOT, 'test/programs/stop-at-save.mjs')).href}`;
  const stopped = await microgpt(['sweep', 'mine.json'], { cwd, env: { NODE_OPTIONS: stop } });
  expect(stopped.code).toBe(130);
  expect(stopped.stderr).toContain('1 of 1 trial left; go on: microgpt sweep mine.json');
  const again = await microgpt(['sweep', 'mine.json'], { cwd });
  expect(again.code, again.stderr).toBe(0);
  const [id] = readdirSync(runs);
  expect(readFileSync(join(cwd, `sweeps/mine/logs/${id}.log`), 'utf8')).toContain('going on with');
  const flags = Object.entries({ ...long.fixed, lr: 0.01 }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  expect((await microgpt(['train', 'names', ...flags, '--samples', '0', '--run', 'alone'], { cwd })).code).toBe(0);
  const model = (folder: string) => readFileSync(join(folder, 'model.safetensors'));
  expect(model(join(runs, id as string)).equals(model(join(cwd, 'alone')))).toBe(true);
});

test('never more processes than asked for, all of them used, and none left after a stop', async () => {
  const cwd = temporaryFolder();
  // Each says that it is there, counts those that are, and stays until it may go: a file says so.
  const script = `const fs = require('node:fs'); const [, me, go] = process.argv;
    process.on('SIGTERM', () => process.exit(143));
    fs.writeFileSync(me + '.on', ''); fs.appendFileSync('seen', fs.readdirSync('.').filter((f) => f.endsWith('.on')).length + ' ');
    const timer = setInterval(() => { if (fs.existsSync(go)) { clearInterval(timer); fs.rmSync(me + '.on'); } }, 10);`;
  const threeAreThere = async () => {
    while (readdirSync(cwd).filter((file) => file.endsWith('.on')).length < 3)
      await new Promise((r) => setTimeout(r, 10));
  };
  const jobs = (count: number, go: string, signal: AbortSignal) => {
    const ended: number[] = [];
    let given = 0;
    const job = (i: number) => ({
      command: process.execPath,
      args: ['-e', `process.chdir(${JSON.stringify(cwd)}); ${script}`, `job${i}`, go],
      log: join(cwd, `${i}.log`),
    });
    const next = async () => (given < count ? { key: given, job: job(given++) } : null);
    return { ended, done: runJobs(3, next, async (_, { code }) => void ended.push(code), signal), given: () => given };
  };
  const all = jobs(8, 'go', new AbortController().signal);
  await threeAreThere();
  writeFileSync(join(cwd, 'go'), '');
  await all.done;
  expect(all.ended).toEqual(Array(8).fill(0));
  const seen = readFileSync(join(cwd, 'seen'), 'utf8').trim().split(' ').map(Number);
  expect(Math.max(...seen)).toBe(3);

  const controller = new AbortController();
  const some = jobs(8, 'never', controller.signal);
  await threeAreThere();
  controller.abort();
  await some.done;
  expect([some.given(), some.ended]).toEqual([3, [143, 143, 143]]);
});

test('a description that makes no sense, and one in which nothing works, are errors', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'bad.json'), '{"vary": {"lr": 3}}');
  expect(await microgpt(['sweep', 'bad.json'], { cwd })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('MG_SWEEP_INVALID'),
  });
  writeFileSync(join(cwd, 'none.json'), '{"scenario": "names", "vary": {"no-such-flag": [1]}}');
  const none = await microgpt(['sweep', 'none.json'], { cwd });
  expect(none.code).toBe(2);
  expect(none.stderr).toMatch(/its only trial failed: error MG_CLI_USAGE/);
});
