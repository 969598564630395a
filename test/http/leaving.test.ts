// Clients that leave, do not read, or read slowly. (N10–N12; at the sizes of a siege in siege.test.ts)
import { expect, test } from 'vitest';
import { createLocalCompute } from '../../src/engine/compute.js';
import { talkingModel } from '../chat-model.js';
import { FULL } from '../golden.js';
import { type Answer, bodyOf, type Raw, raw, request, said, serverFor, statusOf, until } from './asking.js';

const talking = talkingModel(4000);
// The end of the text, which would come by chance, is ruled out.
const long = { prompt: 'a', max_tokens: 3900, stream: true, logit_bias: { [talking.tokenizer.bos!]: -100 } };
const ask = (body: object) => ({ method: 'POST', body: JSON.stringify(body) });
const EACH = FULL ? 100 : 8;
/** As many at once as places; more wait, and leave the queue. */
const AT_ONCE = 20;

/** A server that counts what is being computed. */
function counted() {
  const local = createLocalCompute(new Map([['talking', talking]]), { places: 16 });
  const work = { asked: 0, ended: 0, tokens: 0 };
  const compute = {
    ...local,
    async *ask(...args: Parameters<typeof local.ask>) {
      work.asked++;
      try {
        for await (const event of local.ask(...args)) {
          if (event.token !== null) work.tokens++;
          yield event;
        }
      } finally {
        work.ended++;
      }
    },
  };
  const lines: Answer[] = [];
  const server = serverFor({ compute, limits: { active: 16, queued: 200 }, log: (line) => lines.push(line) });
  return { server, work, lines };
}

interface Stage {
  readonly body: object;
  /** When the client leaves. */
  ready(connection: Raw): Promise<void>;
  /** What it leaves unsent. */
  readonly unsent?: number;
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));
const STAGES: Record<string, Stage> = {
  'in the body': { body: long, unsent: 5, ready: tick },
  'before the first token': { body: long, ready: tick },
  'in a long prompt': {
    body: { ...long, prompt: 'ab'.repeat(1900), max_tokens: 50 },
    ready: async () => {
      for (let i = 0; i < 20; i++) await tick();
    },
  },
  'in the middle': {
    body: long,
    ready: async ({ text }) => {
      for (let i = 0; i < 300 && text().length < 2000; i++) await tick();
    },
  },
  'without streaming': {
    body: { ...long, stream: false },
    ready: async () => {
      for (let i = 0; i < 50; i++) await tick();
    },
  },
  'while it does not read': {
    body: { ...long, n: 8, logprobs: 20 },
    ready: async ({ socket }) => {
      socket.pause();
      for (let i = 0; i < 100; i++) await tick();
    },
  },
};

test.each(Object.entries(STAGES))(
  `N10 ${EACH} clients leave %s: the work for them ends`,
  async (_, stage) => {
    const { server, work, lines } = counted();
    const listening = await server.listen(0);
    const text = request(listening, '/v1/completions', ask(stage.body));
    for (let left = EACH; left > 0; left -= AT_ONCE) {
      const connections = Array.from({ length: Math.min(left, AT_ONCE) }, () =>
        raw(listening, text.slice(0, text.length - (stage.unsent ?? 0))),
      );
      await Promise.all(connections.map(stage.ready));
      // Reset, closed, or closed for writing only, which counts as leaving.
      connections.forEach(({ socket }, i) => {
        if (i % 3 === 0) socket.resetAndDestroy();
        else if (i % 3 === 1) socket.destroy();
        else socket.end();
      });
      // Some may not have been taken in yet: until nobody is there and nothing has happened for a while.
      let [quiet, tokens] = [0, work.tokens];
      await until(() => {
        const still = server.active() + server.waiting() === 0 && work.asked === work.ended && tokens === work.tokens;
        quiet = still ? quiet + 1 : 0;
        tokens = work.tokens;
        for (const { socket } of connections) socket.resume();
        return quiet > 10;
      }, 20_000);
    }
    // Nobody's answer came to its end.
    const total = work.asked * ((stage.body as Answer).n ?? 1) * (stage.body as Answer).max_tokens;
    if (total > 0) expect(work.tokens).toBeLessThan(0.7 * total);
    expect(lines.filter(({ cut, status }) => cut === null && status === 200)).toEqual([]);
    if (stage.body === STAGES['in a long prompt'].body) expect(work.tokens).toBe(0);
    expect(statusOf(await said(listening, request(listening, '/health')))).toBe(200);
    await until(() => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length === 0, 20_000);
  },
  120_000,
);

test('N11 a client that never reads is disconnected; N12 one that reads slowly gets everything', async () => {
  // Log-probabilities make much of each token, so that what the network holds is soon full.
  const body = { ...long, n: 8, logprobs: 20 };
  const server = serverFor({ models: { talking }, connections: { idleWriteMs: 2000 } });
  const listening = await server.listen(0);
  const never = raw(listening, request(listening, '/v1/completions', ask(body)));
  never.socket.pause();
  const slow = raw(listening, request(listening, '/v1/completions', ask({ ...body, n: 1, max_tokens: 400 })));
  const timer = setInterval(() => {
    slow.socket.pause();
    setTimeout(() => slow.socket.resume(), 40);
  }, 60);
  await slow.closed;
  clearInterval(timer);
  expect(slow.text()).toContain('data: [DONE]');
  await until(() => server.active() === 0, 20_000);
  never.socket.resume();
  await never.closed;
  expect(never.text()).not.toContain('[DONE]');
  expect(bodyOf(never.text()).length).toBeGreaterThan(100_000);
}, 40_000);
