// The server under load, asked from this process over loopback: requests and tokens per second at 1 to 1,000 clients, time to the first
// token, start-up, what batching gains, what 1,000 streams and clients that never read do to memory, what an install brings in.
// Checks first (every answer against the one given alone), then times.
//   node bench/serve.mjs [--quick] [--save]      after npm run build; --save writes bench/results/serve.json
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPythonRandom } from '../dist/base/python-random.js';
import { createCharTokenizer, modelConfig } from '../dist/index.js';
import { initialParameters, parameterTable } from '../dist/model/parameters.js';
import { saveModelAs } from '../dist/node/models.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = join(ROOT, 'bin/microgpt.js');
const QUICK = process.argv.includes('--quick');
const SECONDS = QUICK ? 1 : 5;
const sorted = (values) => [...values].sort((a, b) => a - b);
const quantile = (values, q) => sorted(values)[Math.min(values.length - 1, Math.floor(q * values.length))];
const round = (x, digits = 1) => Number(x.toFixed(digits));

const folder = mkdtempSync(join(tmpdir(), 'microgpt-bench-'));
writeFileSync(join(folder, 'names.json'), readFileSync(join(ROOT, 'test/golden/canonical/model_seed0_format.json')));
await saveModelAs(join(folder, 'long.safetensors'), randomModel(16, 1, 2048));
await saveModelAs(join(folder, 'wide.safetensors'), randomModel(128, 4, 512));

/** Writes at random, for as long as it is asked. */
function randomModel(nEmbd, nLayer, blockSize) {
  const tokenizer = createCharTokenizer([...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)), null]);
  const config = modelConfig({ nEmbd, nHead: 4, nLayer, blockSize, vocabSize: tokenizer.size });
  const { gauss } = createPythonRandom(1);
  return {
    config,
    tokenizer,
    parameters: initialParameters(parameterTable(config), { std: 0.08, residualStd: 0.08 }, gauss),
  };
}
const endless = { logit_bias: { 95: -100 } }; // BOS is ruled out

async function start(...flags) {
  const models = ['names.json', 'long.safetensors', 'wide.safetensors'].flatMap((file) => ['-m', file]);
  const args = [BIN, 'serve', '--port', '0', '--activation', 'relu', ...models, ...flags];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    if (!flags.includes('--quiet')) log += text;
  });
  const url = await new Promise((resolve) => {
    child.stdout.once('data', (text) => resolve(String(text).trim()));
  });
  const port = Number(new URL(url).port);
  const stop = () =>
    new Promise((resolve) => {
      child.on('exit', resolve);
      child.kill('SIGKILL');
    });
  const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024;
  /** Milliseconds of processor time, of all its threads. */
  const processor = () => {
    const [user, system] = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13);
    return (Number(user) + Number(system)) * 10;
  };
  const lines = () =>
    log
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
  return { port, url, stop, memory, processor, lines };
}

/**
 * A connection that asks one thing after the other. Much cheaper than fetch, so that the server is what is measured. `arrived` is told how
 * many chunks of a stream came, as they come.
 */
function client(port, arrived = null) {
  const socket = connect(port, '127.0.0.1').setNoDelay().setEncoding('latin1');
  let text = '';
  let first = 0;
  let done = null;
  socket.on('data', (part) => {
    if (first === 0 && (text + part).includes('\r\n\r\n')) first = performance.now();
    text += part;
    if (arrived !== null) {
      const chunks = part.split('data: {').length - 1;
      if (chunks > 0) arrived(chunks, performance.now());
    }
    const head = text.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = /content-length: (\d+)/i.exec(text.slice(0, head));
    if (length === null ? text.endsWith('\r\n0\r\n\r\n') : text.length >= head + 4 + Number(length[1])) {
      const answer = { text, first, end: performance.now() };
      text = '';
      first = 0;
      done(answer);
    }
  });
  socket.on('error', () => done?.({ text: '', first: 0, end: performance.now() }));
  return {
    socket,
    ask(body, path = '/v1/completions') {
      const json = JSON.stringify(body);
      const since = performance.now();
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
      );
      return new Promise((resolve) => {
        done = (answer) => resolve({ ...answer, since, status: Number(answer.text.slice(9, 12)) });
      });
    },
  };
}
const bodyOf = (answer) => answer.text.slice(answer.text.indexOf('\r\n\r\n') + 4);
const chunksOf = (answer) => answer.text.split('data: {').length - 1;

/** So many clients, each asking again as soon as it has been answered, for some seconds. */
async function load({ port, processor }, clients, body, seconds = SECONDS) {
  const all = Array.from({ length: clients }, () => client(port));
  const expected = bodyOf(await all[0].ask(body));
  const answers = [];
  const used = processor();
  let refused = 0;
  const begin = performance.now();
  const end = begin + seconds * 1000;
  await Promise.all(
    all.map(async (_, i) => {
      while (performance.now() < end) {
        const answer = await all[i].ask(body);
        // A connection carries a thousand requests.
        if (/\r\nconnection: close\r\n/i.test(answer.text)) {
          all[i].socket.destroy();
          all[i] = client(port);
        }
        if (answer.status === 503) {
          refused++;
          await new Promise((resolve) => setTimeout(resolve, 100));
          continue;
        }
        if (bodyOf(answer) !== expected) throw new Error(`another answer under load: ${answer.text.slice(0, 300)}`);
        answers.push({ ...answer, text: '', chunks: chunksOf(answer) });
      }
    }),
  );
  const took = (performance.now() - begin) / 1000;
  const milliseconds = processor() - used;
  for (const { socket } of all) socket.destroy();
  const tokens = /"completion_tokens":(\d+)/.exec(expected);
  const each = tokens === null ? (answers[0]?.chunks ?? 1) - 1 : Number(tokens[1]);
  return {
    clients,
    requestsPerSecond: round(answers.length / took),
    tokensPerSecond: Math.round((answers.length * each) / took),
    processorUsPerRequest: Math.round((milliseconds * 1000) / answers.length),
    firstMsP50: round(
      quantile(
        answers.map((a) => a.first - a.since),
        0.5,
      ),
    ),
    firstMsP99: round(
      quantile(
        answers.map((a) => a.first - a.since),
        0.99,
      ),
    ),
    refused,
  };
}

async function startUp() {
  const times = [];
  for (let i = 0; i < (QUICK ? 3 : 10); i++) {
    const since = performance.now();
    const child = spawn(
      process.execPath,
      [BIN, 'serve', '--port', '0', '--quiet', '--activation', 'relu', '-m', 'names.json'],
      {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    const url = await new Promise((resolve) => {
      child.stdout.once('data', (text) => resolve(String(text).trim()));
    });
    await client(Number(new URL(url).port)).ask({ prompt: '' });
    times.push(performance.now() - since);
    child.kill('SIGKILL');
  }
  return { leastMs: Math.round(Math.min(...times)), medianMs: Math.round(quantile(times, 0.5)) };
}

/**
 * N8: all at once, each a stream of 256 tokens: who is admitted is answered whole, the same as alone. How even they are, as the fastest by
 * the slowest (1 is even):
 *   rates           tokens per second between a stream's first and last token, as its client sees them
 *   ratesAdmitted   tokens per second from its admission to its end, by the server's log
 *   shares          tokens that a stream got, by those that an equal share of all tokens would have been while it ran: what the server does
 *                   for one beside another, where the rates also say how busy it was at the time
 */
async function streams({ port, memory, lines }, count) {
  const body = { model: 'long', prompt: 'a', max_tokens: 256, stream: true, ...endless };
  const expected = bodyOf(await client(port).ask(body));
  for (let i = 0; i < 3; i++) await Promise.all(Array.from({ length: 32 }, () => client(port).ask(body)));
  const base = memory();
  let peak = base;
  const watch = setInterval(() => {
    peak = Math.max(peak, memory());
  }, 20);
  const arrivals = []; // [stream, chunks]
  const seen = Array.from({ length: count }, () => ({ chunks: 0, early: 0, first: 0, last: 0 }));
  const all = seen.map((own, i) =>
    client(port, (chunks, now) => {
      arrivals.push([i, chunks]);
      if (own.chunks === 0) [own.first, own.early] = [now, chunks];
      own.chunks += chunks;
      own.last = now;
    }),
  );
  const answers = await Promise.all(all.map((one) => one.ask(body)));
  clearInterval(watch);
  for (const { socket } of all) socket.destroy();
  const good = answers.filter(({ status }) => status === 200);
  for (const answer of good)
    if (bodyOf(answer) !== expected) throw new Error('a stream differs from the one given alone');
  if (good.length + answers.filter(({ status }) => status === 503).length !== count)
    throw new Error('an answer is missing');
  await new Promise((resolve) => setTimeout(resolve, 200));
  const rates = seen.filter(({ chunks }) => chunks > 0).map((own) => (own.chunks - own.early) / (own.last - own.first));
  const admitted = lines()
    .filter(({ tokens, cut }) => tokens === 256 && cut === null)
    .slice(-good.length)
    .map(({ ms, queue_ms }) => 256 / (ms - queue_ms));
  const evenness = (values) => round(Math.max(...values) / Math.min(...values), 2);
  return {
    streams: count,
    admitted: good.length,
    fairness: {
      rates: evenness(rates),
      ratesAdmitted: evenness(admitted),
      shares: evenness(sharesOf(arrivals, seen)),
    },
    tokensPerSecondOfEach: [0, 0.05, 0.5, 0.95, 1].map((q) => Math.round(quantile(rates, q) * 1000)),
    firstMsP99: Math.round(
      quantile(
        good.map((a) => a.first - a.since),
        0.99,
      ),
    ),
    memoryAboveBaseMb: Math.round(peak - base),
  };
}

/** Of each stream: what it got, by an equal share of what all got between its first arrival and its last. */
function sharesOf(arrivals, seen) {
  const left = seen.map(({ chunks }) => chunks);
  const begun = new Map(); // the equal share so far when it began
  const shares = [];
  let [running, share] = [0, 0];
  for (const [i, chunks] of arrivals) {
    if (begun.has(i)) share += chunks / running;
    else {
      begun.set(i, share);
      running++;
    }
    left[i] -= chunks;
    if (left[i] > 0) continue;
    running--;
    shares.push((seen[i].chunks - seen[i].early) / (share - begun.get(i)));
  }
  return shares;
}

/** N11: clients that ask for much and never read. */
async function neverReading({ port, memory }, count) {
  const asked = { model: 'long', prompt: 'a', n: 8, max_tokens: 2000, logprobs: 20, stream: true, ...endless };
  // The base is what the same work takes when the answers are read.
  await Promise.all(Array.from({ length: 32 }, () => client(port).ask({ ...asked, n: 1 })));
  const base = memory();
  const body = JSON.stringify(asked);
  const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1'));
  for (const socket of sockets) {
    socket.pause();
    socket.on('error', () => {});
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }
  let peak = base;
  const end = performance.now() + (QUICK ? 5000 : 25_000);
  while (performance.now() < end) {
    peak = Math.max(peak, memory());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const socket of sockets) socket.destroy();
  return { clients: count, baseMb: Math.round(base), memoryAboveBaseMb: Math.round(peak - base) };
}

function installed() {
  const size = (path) => Number(execFileSync('du', ['-sk', path], { encoding: 'utf8' }).split('\t')[0]) / 1024;
  const packages = ['commander', 'hono', '@hono/node-server', 'zod'];
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  return {
    packedMb: round(packed.size / 1e6, 2),
    unpackedMb: round(packed.unpackedSize / 1e6, 2),
    dependenciesMb: Object.fromEntries(packages.map((name) => [name, round(size(join(ROOT, 'node_modules', name)))])),
  };
}

try {
  const result = { node: process.version, cpu: cpus()[0].model, cores: cpus().length, startUp: await startUp() };
  const server = await start('--max-queued', '4096', '--quiet');
  const names = { model: 'names', prompt: '', seed: 1 };
  result.names = [];
  for (const clients of [1, 10, 100, 1000]) result.names.push(await load(server, clients, names));
  result.namesStreamed = [];
  for (const clients of [1, 10, 100, 1000])
    result.namesStreamed.push(await load(server, clients, { ...names, stream: true }));
  const wide = { model: 'wide', prompt: 'a', max_tokens: 64, ...endless };
  const [alone, many] = [await load(server, 1, wide), await load(server, 32, wide)];
  result.batching = {
    model: '4 layers, 128 wide',
    alone: alone.tokensPerSecond,
    sideBySide32: many.tokensPerSecond,
    gain: round(many.tokensPerSecond / alone.tokensPerSecond, 2),
    processorUsPerRequest: [alone.processorUsPerRequest, many.processorUsPerRequest],
  };
  await server.stop();
  const roomy = await start('--max-queued', '4096');
  result.together = await streams(roomy, 32);
  result.allStreams = await streams(roomy, QUICK ? 200 : 1000);
  await roomy.stop();
  const usual = await start();
  result.streamsWithUsualLimits = await streams(usual, 1000);
  await usual.stop();
  const third = await start();
  result.neverReading = await neverReading(third, 50);
  await third.stop();
  result.install = installed();
  console.log(JSON.stringify(result, null, 2));
  if (process.argv.includes('--save'))
    writeFileSync(join(ROOT, 'bench/results/serve.json'), `${JSON.stringify(result, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true });
}
