// Signals: what is being answered ends, what waits and what comes is sent away; a second one ends the process. (N30, N31)
import { expect, test } from 'vitest';
import { FULL } from '../golden.js';
import { type Answer, until } from './asking.js';
import { long, modelFolder, post, type Running, SERVED, start } from './served.js';

const RUNS = FULL ? 20 : 1;
const stream = { ...long, logprobs: 1, stream: true };

/** Slowed down, so that they are there when the signal comes. */
const SLOW = { 'x-microgpt-fault': 'slow=20' };

/** A number that the server gives of itself. Not on a connection that is kept: draining closes those that are idle. */
async function gauge({ url }: Running, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { headers: { connection: 'close' } })).text();
  return Number(new RegExp(`^microgpt_${name} (.*)$`, 'm').exec(text)?.[1]);
}

async function reached(server: Running, name: string, least: number): Promise<void> {
  while ((await gauge(server, name)) < least) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function drained(server: Running): Promise<void> {
  server.child.kill('SIGTERM');
  await until(() => server.stderr().includes('draining'), 20_000);
  const late = await post(server.url, { prompt: '' }).catch(() => null); // null: it had ended by then
  if (late === null) return;
  expect([late.status, late.headers.get('connection')]).toEqual([503, 'close']);
  expect(((await late.json()) as Answer).error.code).toBe('server_shutdown');
}

const textsOf = (answers: readonly Promise<Response>[]) =>
  Promise.all(answers.map(async (answer) => [(await answer).status, await (await answer).text()] as const));

/** What runs when the signal comes; at the end, what became of it. */
const SITUATIONS: Record<string, { readonly flags: readonly string[]; run(server: Running): Promise<void> }> = {
  'nothing to do': {
    flags: [],
    run: async (server) => {
      server.child.kill('SIGTERM');
      await server.exited;
      expect(server.stderr()).toContain('draining 0 requests (20 s)…\ndone in 0.0 s, 0 cut\n');
    },
  },
  '100 streams': {
    flags: ['--max-active', '100', '--faults'],
    run: async (server) => {
      const body = { ...stream, max_tokens: 40 };
      const answers = Array.from({ length: 100 }, () => post(server.url, body, '/v1/completions', SLOW));
      await reached(server, 'active', 60);
      const ended = textsOf(answers);
      await drained(server);
      // Those that had not come in when the signal came are sent away, the others end.
      for (const [status, text] of await ended) {
        if (status === 200) expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
        else expect([status, JSON.parse(text).error.code]).toEqual([503, 'server_shutdown']);
      }
      expect((await ended).filter(([status]) => status === 200).length).toBeGreaterThanOrEqual(60);
    },
  },
  'a long prompt': {
    flags: ['--faults'],
    run: async (server) => {
      const prompts = Array.from({ length: 5 }, () =>
        post(server.url, { ...stream, prompt: 'ab'.repeat(1900), max_tokens: 60 }, '/v1/completions', SLOW),
      );
      await reached(server, 'active', prompts.length);
      const ended = textsOf(prompts);
      await drained(server);
      for (const [status, text] of await ended)
        expect([status, text.endsWith('data: [DONE]\n\n')]).toEqual([200, true]);
    },
  },
  'a full queue': {
    flags: ['--max-active', '8', '--max-queued', '40'],
    run: async (server) => {
      // Long enough to be there when the signal comes, and told so when the drain is over.
      const running = Array.from({ length: 8 }, () => post(server.url, { ...stream, n: 8 }));
      await reached(server, 'active', 8);
      const waiting = Array.from({ length: 40 }, () => post(server.url, { ...stream, stream: false }));
      await reached(server, 'waiting', 40);
      const ended = textsOf(running);
      await drained(server);
      for (const [status, text] of await textsOf(waiting))
        expect([status, JSON.parse(text).error.code]).toEqual([503, 'server_shutdown']);
      for (const [status, text] of await ended) {
        const told = text.includes('"code":"server_shutdown"');
        expect([status, told !== text.includes('data: [DONE]')]).toEqual([200, true]);
      }
    },
  },
};

for (const [name, { flags, run }] of Object.entries(SITUATIONS)) {
  test(`N30 SIGTERM, ${RUNS} times: ${name}`, async () => {
    const cwd = modelFolder();
    for (let i = 0; i < RUNS; i++) {
      const server = await start([...SERVED, ...flags, ...(name === 'a full queue' ? ['--drain', '1'] : [])], cwd);
      await run(server);
      expect(await server.exited).toBe(0);
    }
  }, 200_000);
}

test(`N31 a second signal, ${RUNS} times: the process ends with its code`, async () => {
  const cwd = modelFolder();
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const server = await start(SERVED, cwd);
    const endless = post(server.url, { ...long, n: 8, stream: true })
      .then((response) => response.text())
      .catch(() => 'cut');
    await reached(server, 'active', 1);
    server.child.kill('SIGINT');
    await until(() => server.stderr().includes('draining'), 20_000);
    const since = performance.now();
    server.child.kill('SIGINT');
    expect(await server.exited).toBe(130);
    times.push(performance.now() - since);
    await endless;
  }
  // A time, which others' load makes longer: the least of twenty, and only where nothing else runs.
  if (FULL) expect(Math.min(...times), times.map(Math.round).join(' ')).toBeLessThanOrEqual(100);
}, 120_000);
