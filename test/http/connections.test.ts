// Connections that mean no good. (N1, N6, N7, N9, N13, N20, N21; at the sizes of a siege in siege.test.ts)
import { expect, test } from 'vitest';
import { talkingModel } from '../chat-model.js';
import { FULL } from '../golden.js';
import { raw, request, said, serverFor, statusOf, until } from './asking.js';

const talking = talkingModel(4000);
// The end of the text, which would come by chance, is ruled out.
const long = { prompt: 'a', max_tokens: 3900, stream: true, logit_bias: { [talking.tokenizer.bos!]: -100 } };
const PIPELINED = FULL ? 40_000 : 4000;
const ask = (body: object) => ({ method: 'POST', body: JSON.stringify(body) });

test('the same bytes over a port as in-process; close leaves nothing open', async () => {
  const before = resources();
  const server = serverFor();
  const { port, url } = await server.listen(0);
  const body = JSON.stringify({ prompt: 'ma', n: 2, stream: true, logprobs: 1 });
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
  const own = await (await server.fetch('/v1/completions', init)).text();
  expect(await (await fetch(`${url}/v1/completions`, init)).text()).toBe(own);
  expect((await fetch(`http://localhost:${port}/health`)).status).toBe(200);
  await expect(server.listen(0)).rejects.toMatchObject({ code: 'MG_OPTION_VALUE' });
  const idle = raw({ port });
  await server.close();
  await idle.closed;
  await expect(fetch(`${url}/health`)).rejects.toThrow();
  idle.socket.destroy();
  await until(() => resources() === before);
});

/** Servers, connections and ports that keep this process alive. */
const resources = () =>
  process
    .getActiveResourcesInfo()
    .filter((name) => /^TCP|Server|MessagePort/.test(name))
    .sort()
    .join(' ');

test('N1 large bodies over a port: refused before they are read, and the connection ends', async () => {
  const listening = await serverFor().listen(0);
  const head = `POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:${listening.port}\r\nContent-Type: application/json\r\n`;
  const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
  const answers = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const told = raw(listening, `${head}Content-Length: 1048577\r\n\r\n{`);
      const chunked = raw(listening, `${head}Transfer-Encoding: chunked\r\n\r\n`);
      for (let n = 0; n < 17; n++) chunked.socket.write(chunk);
      const lying = raw(listening, `${head}Content-Length: ${i + 5}\r\n\r\n{}`);
      lying.socket.end();
      await Promise.all([told.closed, chunked.closed, lying.closed]);
      return [told.text(), chunked.text(), lying.text()];
    }),
  );
  for (const [told, chunked, lying] of answers) {
    for (const answer of [told, chunked]) {
      expect([statusOf(answer), answer.toLowerCase().includes('connection: close')]).toEqual([413, true]);
    }
    expect(lying === '' || statusOf(lying) >= 400, lying.slice(0, 200)).toBe(true);
  }
  expect(statusOf(await said(listening, request(listening, '/health')))).toBe(200);
});

test(`N13 ${PIPELINED} requests over few connections, pipelined: all answered, in their order`, async () => {
  const { port } = await serverFor({ connections: { requestsPerSocket: 100_000 } }).listen(0);
  const texts = await Promise.all(
    Array.from({ length: 4 }, async (_, k) => {
      const connection = raw({ port });
      const ids = Array.from({ length: PIPELINED / 4 }, (_, i) => `r-${k}-${i}`);
      for (const id of ids) {
        const last = id === ids.at(-1) ? 'Connection: close\r\n' : '';
        connection.socket.write(
          `GET /health HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Request-Id: ${id}\r\n${last}\r\n`,
        );
      }
      await connection.closed;
      expect([...connection.text().matchAll(/x-request-id: (\S+)/g)].map((match) => match[1])).toEqual(ids);
      return connection.text();
    }),
  );
  expect(texts.join('').split('HTTP/1.1 200').length - 1).toBe(PIPELINED);
});

test('N6 slow headers, slow bodies and half requests are ended; others do not notice', async () => {
  const connections = { headersMs: 400, requestMs: 800, checkMs: 100, keepAliveMs: 300 };
  const listening = await serverFor({ connections }).listen(0);
  const slow = Array.from({ length: 50 }, (_, i) => {
    const connection = raw(
      listening,
      i % 2 === 0
        ? 'GET /health HT'
        : request(listening, '/v1/completions', ask({ prompt: 'a'.repeat(500) })).slice(0, -300),
    );
    const timer = setInterval(() => connection.socket.write('x'), 50);
    connection.closed.then(() => clearInterval(timer));
    return connection;
  });
  const silent = Array.from({ length: 200 }, () => raw(listening));
  const times: number[] = [];
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    expect(statusOf(await said(listening, request(listening, '/health')))).toBe(200);
    times.push(performance.now() - start);
  }
  expect(Math.min(...times)).toBeLessThan(300); // the slow ones are there for 400 ms and more
  await Promise.all(slow.map(({ closed }) => closed));
  for (const { text } of slow) expect([408, 400]).toContain(statusOf(text()));
  await Promise.all(silent.map(({ closed }) => closed));
});

test('N7 what is not HTTP as it should be is answered 400 or 431, and closed', async () => {
  const listening = await serverFor({ keys: ['k'] }).listen(0);
  const host = `Host: 127.0.0.1:${listening.port}`;
  const post = `POST /v1/completions HTTP/1.1\r\n${host}\r\nContent-Type: application/json\r\n`;
  const cases: [string, number[]][] = [
    [`GET / HTTP/1.1\r\n${host}\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, [431]],
    [`GET / HTTP/1.1\r\n${host}\r\n${'A: b\r\n'.repeat(100)}Connection: close\r\n\r\n`, [431]],
    [`GET / HTTP/1.1\r\n${host}\r\n${'A: b\r\n'.repeat(10_000)}\r\n`, [431]],
    [`HELLO / HTTP/1.1\r\n${host}\r\n\r\n`, [400]],
    ['GET /\r\n\r\n', [400, 403]],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', [400]],
    [`${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`, [400]],
    [`${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, [400]],
    [`${post}Content-Length: -1\r\n\r\n{}`, [400]],
    [`${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, [400]],
    [`GET / HTTP/1.1\n${host}\n\n`, [400]],
    [`GET / HTTP/1.1\r\n\r\n`, [400]],
    [`GET / HTTP/1.1\r\n${host}\r\nHost: evil\r\n\r\n`, [400]],
    [`GET http://evil.example/ HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`, [400]],
    [`GET /v1/models HTTP/1.1\r\nHost: a/b?c\r\nConnection: close\r\n\r\n`, [400, 403]],
  ];
  for (const [text, statuses] of cases) {
    const answer = await said(listening, text);
    expect(statuses, `${text.slice(0, 60)} → ${answer.slice(0, 60)}`).toContain(statusOf(answer));
    expect(answer.toLowerCase()).toContain('connection: close');
  }
  // No key is asked of a Host, and none is given by one.
  for (const target of ['/v1/models', '//v1/models', '/health/../v1/models', '/v1/models?x=/health']) {
    expect([401, 404], target).toContain(statusOf(await said(listening, request(listening, target))));
  }
});

test('N20 only the hosts of the list, whole', async () => {
  const listening = await serverFor({ hosts: ['model.local:80'] }).listen(0);
  const { port } = listening;
  const right = [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`, 'model.local:80'];
  for (const host of right)
    expect(statusOf(await said(listening, request(listening, '/health', { host }))), host).toBe(200);
  const wrong = [
    'evil.example',
    `evil.example:${port}`,
    `localhost.evil:${port}`,
    `127.0.0.1.nip.io:${port}`,
    'localhost',
    '127.0.0.1',
    `localhost:${port + 1}`,
    `localhost:${port}.`,
    `[::ffff:127.0.0.1]:${port}`,
    `[::]:${port}`,
    `0.0.0.0:${port}`,
    `2130706433:${port}`,
    `127.1:${port}`,
    `localhost:0${port}`,
    `user@localhost:${port}`,
    `localhost:${port}#`,
    'model.local',
    'xmodel.local:80',
  ];
  for (const host of wrong) {
    const answer = await said(listening, request(listening, '/health', { host }));
    expect([403, 400], `${host} → ${answer.slice(0, 80)}`).toContain(statusOf(answer));
    expect(answer).not.toContain('Ok');
  }
  const without = await said(listening, 'GET /health HTTP/1.0\r\n\r\n');
  expect([400, 403]).toContain(statusOf(without));
  // Before the key, and before the body.
  const keyed = await serverFor({ keys: ['k'] }).listen(0);
  const early = raw(
    keyed,
    `POST /v1/completions HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n`,
  );
  await until(() => early.text().includes('host_not_allowed'));
});

test('N21 pages of other origins are refused, and no answer names an origin that was not allowed', async () => {
  const listening = await serverFor({ origins: ['https://mine.example'] }).listen(0);
  const get = async (origin: string, method = 'GET') =>
    await said(listening, request(listening, '/v1/models', { method, headers: [`Origin: ${origin}`] }));
  for (const origin of [
    'https://evil',
    'null',
    'file://',
    'https://mine.example.evil',
    'http://mine.example',
    `http://localhost:${listening.port + 1}`,
  ]) {
    for (const method of ['GET', 'OPTIONS', 'POST']) {
      const answer = await get(origin, method);
      expect([origin, statusOf(answer)]).toEqual([origin, 403]);
      expect(answer.toLowerCase()).not.toContain('access-control');
    }
  }
  const own = await get(`http://127.0.0.1:${listening.port}`);
  expect([statusOf(own), own.toLowerCase().includes('access-control')]).toEqual([200, false]);
  const allowed = await get('https://mine.example');
  expect(allowed).toMatch(/^access-control-allow-origin: https:\/\/mine\.example\r$/im);
  expect(allowed).not.toContain('*');
  expect(allowed).toMatch(/^access-control-expose-headers: .*\bretry-after\b.*\r$/im);
  const preflight = await get('https://mine.example', 'OPTIONS');
  expect(statusOf(preflight)).toBe(204);
  // Clients in pages send headers of their own; a star does not stand for the key.
  expect(preflight).toMatch(/^access-control-allow-headers: authorization, \*\r$/im);
});

test('N9 500 at once: as many as there is room for are answered, the rest is told when to come back', async () => {
  const [active, queued, rounds] = FULL ? [32, 64, 20] : [8, 24, 3];
  const server = serverFor({ models: { talking }, limits: { active, queued } });
  const { url } = await server.listen(0);
  const body = JSON.stringify({ ...long, prompt: 'ab', max_tokens: 60, stream: false });
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const response = await server.fetch(`${url}/v1/completions`, init);
        return { status: response.status, retry: response.headers.get('retry-after'), text: await response.text() };
      }),
    );
    const good = answers.filter(({ status }) => status === 200);
    expect([good.length, new Set(good.map(({ text }) => text)).size]).toEqual([active + queued, 1]);
    for (const { status, retry, text } of answers) {
      if (status === 200) continue;
      expect([status, JSON.parse(text).error.code]).toEqual([503, 'overloaded']);
      expect(Number(retry)).toBeGreaterThanOrEqual(1);
      expect(Number(retry)).toBeLessThanOrEqual(5);
    }
    expect([server.active(), server.waiting()]).toEqual([0, 0]);
  }
}, 120_000);

test('N9 one key cannot take all places; who waits too long is sent away', async () => {
  const server = serverFor({
    models: { talking },
    keys: ['a', 'b'],
    limits: { active: 4, queued: 60, perKey: 6, waitMs: 150 },
  });
  const statuses = async (key: string, count: number) =>
    (
      await Promise.all(
        Array.from({ length: count }, () =>
          server.fetch('/v1/completions', {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
            body: JSON.stringify({ ...long, max_tokens: 2000, stream: false }),
          }),
        ),
      )
    ).map(({ status }) => status);
  const [a, b] = await Promise.all([statuses('a', 10), statuses('b', 2)]);
  expect(a.filter((status) => status === 429)).toHaveLength(4);
  expect(a.filter((status) => status === 200).length).toBeGreaterThanOrEqual(4);
  expect(b.every((status) => status === 200 || status === 503)).toBe(true);
  expect([server.active(), server.waiting()]).toEqual([0, 0]);
});
