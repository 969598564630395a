// What those who mean no good can do to the times of others. The limits are those of docs/server.md; the tests of test/http call the cases by the same names:
//   N3   how long a request body keeps the event loop, at most (least of ten tries each)
//   N6   answers to a normal client while 600 slow connections and 1,000 idle ones are held, by those without (p50, p99)
//   N23  time that a key takes to be refused, by how much of its beginning is right, over 100,000 tries (medians)
//   N31  from the second signal to the end of the process (least and median of twenty)
//   node bench/serve-hostile.mjs [--quick] [--save]      after npm run build; --save writes bench/results/serve-hostile.json
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseStrictly } from '../dist/server/body.js';
import { createKeyring } from '../dist/server/keys.js';

const QUICK = process.argv.includes('--quick');
const root = new URL('..', import.meta.url);
const BIN = fileURLToPath(new URL('bin/microgpt.js', root));
const MODEL = fileURLToPath(new URL('test/golden/canonical/model_seed0_format.json', root));
const sorted = (values) => [...values].sort((a, b) => a - b);
const quantile = (values, q) => sorted(values)[Math.min(values.length - 1, Math.floor(q * values.length))];
const round = (x, digits = 2) => Number(x.toFixed(digits));
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Milliseconds in which a body is read or refused. */
function bodies() {
  const size = 1_048_500;
  const filled = (part, before = '', after = '') =>
    before + part.repeat(Math.floor((size - before.length - after.length) / part.length)) + after;
  const kinds = {
    deepLists: filled('['),
    deepObjects: filled('{"a":'),
    prototype: '{"__proto__":{"n":2}}',
    sameName: filled('"a":1,', '{', '"a":1}'),
    notANumber: '{"n":NaN}',
    empty: '',
    spaces: filled(' '),
    manyNumbers: filled('0,', '[', '0]'),
    manyNames: `{${Array.from({ length: 90_000 }, (_, i) => `"k${i}":1`).join(',')}}`,
    oneText: filled('a', '{"prompt":"', '"}'),
    mostNames: `{${Array.from({ length: 9999 }, (_, i) => `"k${i}":1`).join(',')}}`,
  };
  const leastMs = {};
  for (const [kind, text] of Object.entries(kinds)) {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10; i++) {
      const since = performance.now();
      try {
        parseStrictly(text);
      } catch {
        // refused
      }
      least = Math.min(least, performance.now() - since);
    }
    leastMs[kind] = round(least);
  }
  const bytes = new TextEncoder().encode(kinds.oneText);
  bytes[500_000] = 0xff;
  const since = performance.now();
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    leastMs.invalidUtf8 = round(performance.now() - since);
  }
  return { leastMs, mostMs: Math.max(...Object.values(leastMs)) };
}

/**
 * Nanoseconds of looking for keys that are wrong from some place on, kind by kind in turns, so that whatever else the machine does meets
 * all alike. Each try is another key: what a digest happens to be like makes a few percent, and says nothing of the right key.
 */
function keys() {
  const key = 'sk-0123456789abcdef0123456789abcdef';
  const ring = createKeyring([key]);
  const right = { none: 0, half: 16, allButEight: key.length - 8 };
  const list = Object.entries(right);
  const times = Object.fromEntries(list.map(([kind]) => [kind, []]));
  const tries = QUICK ? 10_000 : 100_000;
  for (let i = 0; i < tries + 1000; i++) {
    for (let k = 0; k < list.length; k++) {
      const [kind, length] = list[(k + i) % list.length];
      const guess = `${key.slice(0, length)}${String((i * 7919) % 1e8).padStart(8, '0')}`.padEnd(key.length, 'x');
      const given = Buffer.from(guess, 'latin1').toString('latin1'); // put together as one from a header is
      const since = process.hrtime.bigint();
      ring.find(given);
      const took = Number(process.hrtime.bigint() - since);
      if (i >= 1000) times[kind].push(took);
    }
  }
  const medianNs = Object.fromEntries(Object.entries(times).map(([kind, all]) => [kind, quantile(all, 0.5)]));
  const medians = Object.values(medianNs);
  const [most, least] = [Math.max(...medians), Math.min(...medians)];
  return { tries, medianNs, apartPercent: round((100 * (most - least)) / least) };
}

async function start() {
  const flags = ['serve', '--port', '0', '--quiet', '--faults', '--activation', 'relu', '-m', `names=${MODEL}`];
  const child = spawn(process.execPath, [BIN, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const url = await new Promise((resolve) => {
    child.stdout.once('data', (text) => resolve(String(text).trim()));
  });
  return { child, url, port: Number(new URL(url).port), said: () => said };
}

const post = (url) =>
  fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"prompt":"ma","seed":1}',
  }).then((response) => response.text());

async function timesOf(url, count) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const since = performance.now();
    await post(url);
    times.push(performance.now() - since);
    await pause(2);
  }
  return { p50: round(quantile(times, 0.5)), p99: round(quantile(times, 0.99)) };
}

async function slowConnections() {
  const { child, url, port } = await start();
  const count = QUICK ? 200 : 1500;
  await timesOf(url, 200);
  const without = await timesOf(url, count);
  const post = `POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{`;
  const held = [];
  const hold = (number, said) => {
    for (let i = 0; i < number; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      if (said !== '') socket.write(said);
      held.push(socket);
    }
  };
  hold(200, 'GET /health HTTP/1.1\r\nX: ');
  hold(400, post);
  hold(1000, '');
  const trickle = setInterval(() => {
    for (const socket of held.slice(0, 600)) socket.write('x');
  }, 1000);
  await pause(500);
  const withThem = await timesOf(url, count);
  const still = held.filter((socket) => !socket.destroyed).length;
  clearInterval(trickle);
  for (const socket of held) socket.destroy();
  child.kill('SIGKILL');
  return { held: held.length, stillHeld: still, without, withThem, p99Ratio: round(withThem.p99 / without.p99) };
}

async function secondSignal() {
  const times = [];
  for (let i = 0; i < (QUICK ? 3 : 20); i++) {
    const { child, url, said } = await start();
    await post(url);
    // One that never ends keeps the first signal from ending the process.
    const hung = fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-microgpt-fault': 'slow=600000' },
      body: '{"prompt":"","stream":true}',
    })
      .then((response) => response.text())
      .catch(() => {});
    while (!/^microgpt_active 1$/m.test(await (await fetch(`${url}/metrics`)).text())) await pause(5);
    child.kill('SIGINT');
    while (!said().includes('draining')) await pause(1);
    const since = performance.now();
    child.kill('SIGINT');
    await new Promise((resolve) => {
      child.on('exit', resolve);
      if (child.exitCode !== null) resolve();
    });
    times.push(performance.now() - since);
    if (child.exitCode !== 130) throw new Error(`ended with ${child.exitCode}, not by the second signal`);
    await hung;
  }
  return {
    leastMs: round(Math.min(...times)),
    medianMs: round(quantile(times, 0.5)),
    mostMs: round(Math.max(...times)),
  };
}

const result = {
  node: process.version,
  cpu: cpus()[0].model,
  cores: cpus().length,
  bodies: bodies(),
  keys: keys(),
  slowConnections: await slowConnections(),
  secondSignal: await secondSignal(),
};
console.log(JSON.stringify(result, null, 2));
if (process.argv.includes('--save'))
  writeFileSync(new URL('bench/results/serve-hostile.json', root), `${JSON.stringify(result, null, 2)}\n`);
