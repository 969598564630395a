// The server for a long time: connections that come and go, 50 a second, some of them left in the middle of an answer. Says every ten
// seconds what memory and open files it has; at the end, how much memory grew in ten minutes, by a straight line through all but the first
// third. Ends with 1 when an answer differs, a request hangs, files stay open, or memory grows by 1 MB in ten minutes or more.
//   node bench/serve-soak.mjs [--minutes 60] [--save]      after npm run build; --save writes bench/results/serve-soak.json
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const at = process.argv.indexOf('--minutes');
const minutes = at < 0 ? 60 : Number(process.argv[at + 1]);
const BIN = fileURLToPath(new URL('bin/microgpt.js', root));
const MODEL = fileURLToPath(new URL('test/golden/canonical/model_seed0_format.json', root));

const flags = ['serve', '--port', '0', '--quiet', '--activation', 'relu', '-m', `names=${MODEL}`];
const child = spawn(process.execPath, [BIN, ...flags], { stdio: ['ignore', 'pipe', 'ignore'] });
const { port } = new URL(
  await new Promise((resolve) => {
    child.stdout.once('data', (text) => resolve(String(text).trim()));
  }),
);
const status = () => readFileSync(`/proc/${child.pid}/status`, 'utf8');
const memory = () => Number(/VmRSS:\s+(\d+)/.exec(status())[1]) / 1024;
const files = () => readdirSync(`/proc/${child.pid}/fd`).length;
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Asks on a connection of its own; `leave` after so many bytes. Gives the text, or null when it was left or refused. */
function ask(body, leave = Number.POSITIVE_INFINITY) {
  return new Promise((resolve, reject) => {
    const asked = request({
      port,
      method: 'POST',
      path: '/v1/completions',
      agent: false,
      headers: { 'content-type': 'application/json' },
    });
    const timer = setTimeout(() => reject(new Error('no answer within 30 s')), 30_000);
    const end = (text) => {
      clearTimeout(timer);
      resolve(text);
    };
    asked.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
        if (text.length < leave) return;
        asked.destroy();
        end(null);
      });
      response.on('end', () => end(response.statusCode === 200 ? text : null));
      response.on('error', () => end(null));
    });
    asked.on('error', () => end(null));
    asked.end(JSON.stringify(body));
    if (leave === 0) setTimeout(() => asked.destroy(), 2);
  });
}

const kinds = [
  { prompt: 'ma', n: 3 },
  { prompt: '', stream: true, logprobs: 5 },
  { prompt: 'jo', guided_regex: '[a-z]{2,4}' },
  { prompt: ['anna', 'bo'], echo: true, max_tokens: 0, logprobs: 1 },
];
const expected = await Promise.all(kinds.map((body) => ask(body)));
const [baseMemory, baseFiles] = [memory(), files()];
const series = [];
const begin = performance.now();
let [asked, answered, left, next] = [0, 0, 0, 10_000];
let pending = [];
while (performance.now() - begin < minutes * 60_000) {
  const i = asked++;
  const kind = i % kinds.length;
  pending.push(
    ask(kinds[kind], i % 5 === 0 ? (i % 10) * 40 : undefined).then((text) => {
      if (text === null) left++;
      else if (text === expected[kind]) answered++;
      else throw new Error(`another answer: ${text.slice(0, 300)}`);
    }),
  );
  if (pending.length >= 50) {
    await Promise.all(pending);
    pending = [];
  }
  await pause(20);
  if (performance.now() - begin < next) continue;
  next += 10_000;
  const state = {
    seconds: Math.round((performance.now() - begin) / 1000),
    memoryMb: Math.round(memory() * 10) / 10,
    files: files(),
    asked,
    answered,
    left,
  };
  series.push(state);
  console.log(JSON.stringify(state));
}
await Promise.all(pending);
await pause(6000);
const settled = series.slice(Math.floor(series.length / 3));
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const [x, y] = [settled.map(({ seconds }) => seconds / 600), settled.map(({ memoryMb }) => memoryMb)];
const [mx, my] = [mean(x), mean(y)];
const slope = x.reduce((sum, t, i) => sum + (t - mx) * (y[i] - my), 0) / x.reduce((sum, t) => sum + (t - mx) ** 2, 0);
const result = {
  minutes,
  node: process.version,
  asked,
  answered,
  left,
  baseMemoryMb: Math.round(baseMemory),
  memoryMb: Math.round(memory()),
  growthMbIn10Minutes: Math.round(slope * 100) / 100,
  filesMore: files() - baseFiles,
};
child.kill('SIGTERM');
console.log(JSON.stringify(result, null, 2));
if (process.argv.includes('--save'))
  writeFileSync(new URL('bench/results/serve-soak.json', root), `${JSON.stringify(result, null, 2)}\n`);
process.exitCode = result.growthMbIn10Minutes < 1 && result.filesMore <= 0 ? 0 : 1;
