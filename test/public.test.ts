// The library as an editor shows it: every type that a public declaration names can be imported, and everything exported says what it is.
// And as a process meets it: whoever closes what he opened is left with nothing that keeps the process alive. Read and run in dist/.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, runCommand, temporaryFolder } from './cli.js';

const DIST = join(ROOT, 'dist');
const ENTRIES = ['index', 'node/index', 'server/index', 'browser/index'].map((name) => join(DIST, `${name}.d.ts`));

/** What only whoever builds on the inside meets: how an engine steps, a thread starts, a product is computed, a disk is faked. */
const INSIDE =
  /\/(train\/learner|backend\/wasm\/\w+|base\/dropout-mask|generate\/scheduler|node\/(file-system|lock))\.d\.ts$/;

/** Name and file of what a file imports or passes on: { name as exported here → file }. */
function imported(file: string, keyword: 'import' | 'export'): Map<string, string> {
  const out = new Map<string, string>();
  const statements = readFileSync(file, 'utf8').matchAll(
    new RegExp(`^${keyword} (?:type )?\\{([^}]*)\\} from '(\\.[^']+)'`, 'gm'),
  );
  for (const [, names, from] of statements) {
    const target = resolve(dirname(file), from.replace(/\.js$/, '.d.ts'));
    for (const name of names.split(',').map((part) => part.replace(/\btype\b/, '').trim()))
      if (name) out.set(name, target);
  }
  return out;
}

/** A declaration with the comment before it; undefined where the file only passes it on. */
function declaration(file: string, name: string): { readonly comment: boolean; readonly code: string } | undefined {
  const text = readFileSync(file, 'utf8');
  const begin = new RegExp(`^(?:export )?(?:declare )?(?:interface|type|function|const|class) ${name}\\b`, 'm').exec(
    text,
  );
  if (begin === null) return undefined;
  const rest = text.slice(begin.index + 1);
  const end = rest.search(/^(?:export|interface|declare|type|\/\*\*)/m);
  const code = (end < 0 ? rest : rest.slice(0, end)).replace(/\/\*[\s\S]*?\*\//g, '');
  return { comment: /\*\/\n$/.test(text.slice(0, begin.index)), code };
}

/** Follows a name to the file that declares it. */
function home(file: string, name: string): string {
  for (let at = file; ; ) {
    if (declaration(at, name) !== undefined) return at;
    const next = imported(at, 'export').get(name) ?? imported(at, 'import').get(name);
    if (next === undefined) return at;
    at = next;
  }
}

test('every type that a public declaration names can be imported, and each export says what it is', () => {
  const exported = new Map(
    ENTRIES.flatMap((entry) => [...imported(entry, 'export')]).map(([name, file]) => [name, home(file, name)]),
  );
  expect(exported.size).toBeGreaterThan(150);
  const silent: string[] = [];
  const hidden: string[] = [];
  for (const [name, file] of exported) {
    const { comment, code } = declaration(file, name) ?? { comment: false, code: '' };
    if (!comment) silent.push(name);
    const own = [...readFileSync(file, 'utf8').matchAll(/^(?:export )?(?:declare )?(?:interface|type|class) (\w+)/gm)];
    const known = [...imported(file, 'import').keys(), ...own.map(([, other]) => other)];
    for (const other of known) {
      if (exported.has(other) || INSIDE.test(home(file, other)) || !new RegExp(`\\b${other}\\b`).test(code)) continue;
      hidden.push(`${other}, which ${name} names`);
    }
  }
  expect(hidden).toEqual([]);
  expect(silent).toEqual([]);
});

/** Runs a program with the compiled library; it fails when the process does not come to its end by itself. */
async function life(program: string): Promise<string> {
  const cwd = temporaryFolder();
  const head = `import * as m from ${JSON.stringify(join(DIST, 'index.js'))};
import * as node from ${JSON.stringify(join(DIST, 'node/index.js'))};
import { createServer } from ${JSON.stringify(join(DIST, 'server/index.js'))};
setTimeout(() => process.exit(99), 50_000).unref(); // only whoever is kept alive gets here
const load = async (name) => (await node.loadModel((await node.findModel(name)).path)).checkpoint;
`;
  writeFileSync(join(cwd, 'life.mjs'), head + program);
  const { code, stdout, stderr } = await runCommand(process.execPath, ['life.mjs'], { cwd });
  expect(code, stderr).toBe(0);
  return stdout;
}

test('streams end by break, by return, by a signal before and during; nothing is left that keeps the process alive', async () => {
  const said = await life(`
const names = await load('names'), talk = await load('chat');
const long = { chain: true, stopAtBos: false, maxTokens: 1e6 };
let n = 0;
for await (const _ of m.stream(names, long)) if (++n === 3) break;
const one = m.stream(names, long);
await one.next();
console.log(n, (await one.return()).done, (await one.next()).done, (await m.stream(names).return()).done);
const stop = new AbortController();
let events = 0;
for await (const _ of m.stream(names, { ...long, signal: stop.signal })) if (++events === 5) stop.abort();
let none = 0;
for await (const _ of m.stream(names, { signal: AbortSignal.abort() })) none++;
console.log(events, none);
const chat = m.createChat(talk);
for await (const { text } of chat.say('hello')) if (text !== '') break;
console.log(chat.turns.map(({ role, content }) => role + ' ' + content.length).join(', '));
chat.close();
const training = m.createTraining({ documents: ['anna', 'bella'], steps: 30, threads: node.nodeThreads(2) });
for await (const event of training.events()) if (event.type === 'step' && event.step === 4) break;
const end = new AbortController();
for await (const event of training.events({ signal: end.signal })) {
  if (event.type === 'step' && event.step === 9) end.abort();
  if (event.type === 'stopped') console.log(event.reason, training.step());
}
for await (const _ of training.events()); // goes on to the end
console.log(training.step());
training.close();
training.close();
`);
  expect(said.split('\n')).toEqual([
    '3 true true true',
    '5 0',
    'user 5, assistant 1',
    expect.stringMatching(/^\w+ 9$/),
    '30',
    '',
  ]);
});

test('two engines at once do not meet: trained side by side, asked side by side, on threads and off', async () => {
  const said = await life(`
const steps = 20, options = [{ documents: ['anna', 'bella'], seed: 1 }, { documents: ['rex', 'milo', 'luna'], seed: 2 }];
const alone = [];
for (const one of options) alone.push(await m.trainModel({ ...one, steps }));
// Every run is worth sharing: threads really work in both.
const threads = { ...node.nodeThreads(2), sharedWork: 1 };
const both = await Promise.all(options.map((one) => m.trainModel({ ...one, steps, threads })));
console.log(both.map((model, i) => model.parameters.join() === alone[i].parameters.join()).join(' '));
const services = both.map((model) => m.createService(model));
const textOf = async (events) => { let all = ''; for await (const { text } of events) all += text; return all; };
const texts = await Promise.all(services.map((service) => textOf(service.stream({ seed: 3 }))));
console.log(texts.map((text, i) => text === m.generate(alone[i], { seed: 3 })[0]).join(' '));
for (const service of services) service.close();
`);
  expect(said).toBe('true true\ntrue true\n');
});

test('servers, in this thread and in another, listening and not: after close the process ends by itself', async () => {
  const said = await life(`
const names = await load('names');
const body = JSON.stringify({ prompt: 'ma', seed: 7, temperature: 0 });
const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
const texts = new Set();
for (const server of [createServer({ models: { names } }), createServer({ compute: node.createWorkerCompute({ names }) })]) {
  const { url } = await server.listen(0);
  texts.add(await (await server.fetch('/v1/completions', init)).text());
  texts.add(await (await fetch(url + '/v1/completions', init)).text());
  await server.close();
  await server.close();
}
console.log(texts.size, JSON.parse([...texts][0]).choices.length);
`);
  expect(said).toBe('1 1\n');
});
