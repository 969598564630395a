// A server with its usual limits under siege, at the sizes of the table: each in a process of its own, whose memory and files are looked at.
// Takes as long as those limits last, so in the full tier only; the short forms are in connections.test.ts and leaving.test.ts. (N1, N6, N11, N12)
import { connect, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FULL } from '../golden.js';
import { bodyOf, request, statusOf, until } from './asking.js';
import { filesOf, HAS_PROC, long, memoryOf, modelFolder, post, type Running, SERVED, start } from './served.js';

const ask = (body: object) => ({ method: 'POST', body: JSON.stringify(body) });
const portOf = ({ url }: Running) => ({ port: Number(new URL(url).port) });

interface Besieger {
  readonly socket: Socket;
  text(): string;
  open(): boolean;
}

/** Connections on which the same is said; what comes is kept, up to a bound. */
function besiege(
  { port }: { readonly port: number },
  count: number,
  said: string,
  end: () => Promise<unknown>,
): Besieger[] {
  const all = Array.from({ length: count }, () => {
    const socket = connect({ port, host: '127.0.0.1' }).setEncoding('latin1');
    let text = '';
    let open = true;
    socket.on('data', (part) => {
      if (text.length < 1_000_000) text += part;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      open = false;
    });
    if (said !== '') socket.write(said);
    return { socket, text: () => text, open: () => open };
  });
  void end().then(() => {
    for (const { socket } of all) socket.destroy();
  });
  return all;
}

/**
 * The same in groups, each let in before the next comes: who comes while the system's queue is full believes to be connected, and the server
 * never hears of him. A request that came after a group is answered, or refused, after the group.
 */
async function besiegeInGroups(
  place: { readonly port: number },
  count: number,
  said: string,
  end: () => Promise<unknown>,
): Promise<Besieger[]> {
  const all: Besieger[] = [];
  while (all.length < count) {
    all.push(...besiege(place, Math.min(100, count - all.length), said, end));
    const [last] = besiege(place, 1, request(place, '/health'), end);
    await until(() => !last.open(), 60_000);
  }
  return all;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The server, and a promise that resolves when the test is over. */
async function siege(...flags: string[]) {
  const server = await start([...SERVED, '--quiet', ...flags], modelFolder());
  const over = new Promise<void>((resolve) => {
    onTestFinished(() => resolve());
  });
  return { server, over: () => over };
}

describe.runIf(FULL)('under siege', () => {
  test.runIf(HAS_PROC)(
    'N1 100 large bodies of each kind take at most 16 MB',
    async () => {
      const { server, over } = await siege();
      const { port } = portOf(server);
      const head = `POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n`;
      const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
      /** Eight at a time: a body in chunks has to be read to the end of what is allowed. */
      const round = async (count: number) => {
        const seen: Record<string, number> = {};
        for (let i = 0; i < count; i += 4) {
          const honest = besiege({ port }, 4, `${head}Content-Length: 1048577\r\n\r\n{`, over);
          const chunked = besiege({ port }, 4, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(17)}`, over);
          const lying = besiege({ port }, 4, `${head}Content-Length: ${i + 5}\r\n\r\n{}`, over);
          for (const { socket } of lying) socket.end();
          const all = [...honest, ...chunked, ...lying];
          await until(() => all.every(({ open }) => !open()), 60_000);
          for (const [kind, group] of Object.entries({ honest, chunked, lying }))
            for (const { text } of group) {
              const name = `${kind} ${text() === '' ? 'closed' : statusOf(text())}`;
              seen[name] = (seen[name] ?? 0) + 1;
            }
        }
        return seen;
      };
      for (let i = 0; i < 3; i++) await round(40);
      const base = memoryOf(server);
      let peak = base;
      const watch = setInterval(() => {
        peak = Math.max(peak, memoryOf(server));
      }, 10);
      const seen = await round(100);
      clearInterval(watch);
      expect([seen['honest 413'], seen['chunked 413']]).toEqual([100, 100]);
      expect((seen['lying 400'] ?? 0) + (seen['lying closed'] ?? 0)).toBe(100);
      console.log(`N1: ${(peak - base).toFixed(0)} MB above a base of ${base.toFixed(0)}`);
      expect(peak - base, `base ${base.toFixed(0)} MB`).toBeLessThanOrEqual(16);
    },
    120_000,
  );

  test('N6 200 slow heads, 200 slow bodies, 200 half-open, 2,048 connections in all: ended, and others are answered', async () => {
    const { server, over } = await siege();
    const { port } = portOf(server);
    const files = HAS_PROC ? filesOf(server) : 0;
    const body = request({ port }, '/v1/completions', ask({ prompt: 'a'.repeat(5000) }));
    const since = performance.now();
    const heads = await besiegeInGroups({ port }, 200, 'GET /health HTTP/1.1\r\nX: ', over);
    const bodies = await besiegeInGroups({ port }, 200, body.slice(0, -4900), over);
    const half = await besiegeInGroups({ port }, 200, body.slice(0, -300), over);
    for (const { socket } of half) socket.end();
    const slow = [...heads, ...bodies];
    const ended = new Map<Besieger, number>();
    const timer = setInterval(() => {
      for (const one of slow) {
        if (one.open()) one.socket.write('x');
        else if (!ended.has(one)) ended.set(one, performance.now() - since);
      }
    }, 1000);
    // A client who was there before keeps his connection, whatever else comes.
    const idle = await besiegeInGroups({ port }, 1400, '', over);
    let answered = 0;
    while (slow.some(({ open }) => open()) && performance.now() - since < 60_000) {
      expect((await post(`http://127.0.0.1:${port}`, { prompt: 'mar' })).status).toBe(200);
      answered++;
      await pause(500);
    }
    clearInterval(timer);
    for (const { text } of slow) expect(statusOf(text())).toBe(408);
    // As long as the limits say, and never shorter; how much longer is the machine's.
    const times = (group: readonly Besieger[]) => group.map((one) => (ended.get(one) ?? 61_000) / 1000);
    expect(Math.min(...times(heads))).toBeGreaterThan(9);
    expect(Math.min(...times(bodies))).toBeGreaterThan(29);
    expect(answered).toBeGreaterThan(10);
    await until(() => [...half, ...idle].every(({ open }) => !open()), 60_000);
    // More than there is room for are not taken in, and room is there again afterwards.
    const crowd = await besiegeInGroups({ port }, 2100, '', over);
    await until(() => crowd.filter(({ open }) => !open()).length >= 52, 60_000);
    await until(() => crowd.every(({ open }) => !open()), 120_000);
    expect((await post(`http://127.0.0.1:${port}`, { prompt: 'mar' })).status).toBe(200);
    if (HAS_PROC) await until(() => filesOf(server) <= files + 2, 30_000);
  }, 300_000);

  test.runIf(HAS_PROC)(
    'N11 200 clients that never read 20 MB each: 64 MB at most, and they are disconnected',
    async () => {
      const { server, over } = await siege('--max-queued', '200');
      const asked = { ...long, n: 8, max_tokens: 2000, logprobs: 20, stream: true };
      let peak = 0;
      const watch = setInterval(() => {
        peak = Math.max(peak, memoryOf(server));
      }, 20);
      // The base is what the same work takes at the most when the answers are read.
      for (let i = 0; i < 3; i++)
        await Promise.all(Array.from({ length: 32 }, async () => (await post(server.url, { ...asked, n: 1 })).text()));
      const base = peak;
      const rest = memoryOf(server);
      const never = besiege(portOf(server), 200, request(portOf(server), '/v1/completions', ask(asked)), over);
      for (const { socket } of never) socket.pause();
      const gauge = async (name: string) => {
        const text = await (await fetch(`${server.url}/metrics`)).text();
        return Number(new RegExp(`^microgpt_${name} (.*)$`, 'm').exec(text)?.[1]);
      };
      do await pause(500);
      while ((await gauge('active')) + (await gauge('waiting')) > 0);
      clearInterval(watch);
      for (const { socket } of never) socket.resume();
      await until(() => never.every(({ open }) => !open()), 60_000);
      // Those who came to their turn were cut; those who did not within 30 s were told so.
      const told = never.filter(({ text }) => statusOf(text()) === 503).length;
      const cut = never.filter(({ text }) => statusOf(text()) === 200 && !text().includes('[DONE]')).length;
      expect([told + cut, cut >= 32]).toEqual([200, true]);
      const above = `${(peak - base).toFixed(0)} MB above a base of ${base.toFixed(0)}`;
      console.log(`N11: ${above}, ${(peak - rest).toFixed(0)} MB above what it was at rest`);
      expect(peak - base, above).toBeLessThanOrEqual(64);
    },
    240_000,
  );

  test('N12 50 readers of 1 KB a second, and 10 of 64 KB a second who are far behind: all get everything', async () => {
    const { server, over } = await siege();
    const { port } = portOf(server);
    const read = async (kilobytes: number, body: object): Promise<string> => {
      const [one] = besiege({ port }, 1, request({ port }, '/v1/completions', ask(body)), over);
      one.socket.pause();
      one.socket.removeAllListeners('data');
      let text = '';
      one.socket.on('readable', () => {});
      for (let quiet = 0; quiet < 60; ) {
        const part: string | null = one.socket.read(Math.min(kilobytes * 1024, one.socket.readableLength)) ?? null;
        text += part ?? '';
        quiet = part === null ? quiet + 1 : 0;
        if (text.endsWith('0\r\n\r\n')) break;
        await pause(1000);
      }
      return bodyOf(text);
    };
    const small = { ...long, max_tokens: 200, logprobs: undefined, stream: true };
    const large = { ...long, n: 2, max_tokens: 1200, logprobs: 20, stream: true };
    const texts = await Promise.all([
      ...Array.from({ length: 50 }, () => read(1, small)),
      ...Array.from({ length: 10 }, () => read(64, large)),
    ]);
    for (const text of texts) expect(text).toContain('data: [DONE]');
    expect(texts[0].length).toBeGreaterThan(20_000);
    expect(texts[50].length).toBeGreaterThan(1_500_000);
  }, 180_000);
});
