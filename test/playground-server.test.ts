// microgpt playground without a browser: what is served, with which headers, and what it says when it cannot; and runs in one file.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTraining, encodeSafetensors } from '../src/index.js';
import { playgroundFiles, playgroundFolder, serveFiles } from '../src/node/playground.js';
import { createServer as createModelServer } from '../src/server/index.js';
import { microgpt, temporaryFolder } from './cli.js';

function built(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>the page</title>');
  writeFileSync(join(folder, 'assets/page.js'), 'export {};');
  writeFileSync(join(folder, 'notes.secret'), 'not of a kind that is served');
  return folder;
}

test('the files of the playground by their paths, and only those of known kinds', async () => {
  const files = await playgroundFiles(built());
  expect([...files.keys()].sort()).toEqual(['', 'assets/page.js', 'index.html']);
  expect(files.get('assets/page.js')?.type).toBe('text/javascript; charset=utf-8');
  await expect(playgroundFiles(temporaryFolder())).rejects.toMatchObject({
    code: 'MG_FILE_MISSING',
    remedy: 'build it: npm run playground',
  });
});

test('the server answers with the headers of isolation, and with nothing that is not in its list', async () => {
  const server = await serveFiles(await playgroundFiles(built()), { port: 0 });
  const ask = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  try {
    const page = await ask('/?now#train');
    expect([page.status, await page.text()]).toEqual([200, '<!doctype html><title>the page</title>']);
    expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(page.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const head = await ask('/assets/page.js', 'HEAD');
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
    for (const path of ['/notes.secret', '/../package.json', '/%2e%2e/package.json', '//etc/passwd', '/assets/']) {
      expect((await ask(path)).status, path).toBe(404);
    }
    expect((await ask('/', 'POST')).status).toBe(405);
  } finally {
    await server.close();
  }
});

test('microgpt serve has it below /playground/, without a key, and nothing else of that folder', async () => {
  const training = createTraining({ documents: ['rex', 'bella'], steps: 1 });
  const playground = await playgroundFolder(built());
  const server = createModelServer({ models: { pets: training.checkpoint() }, playground, keys: ['secret'] });
  training.close();
  try {
    const page = await server.fetch('/playground/');
    expect([page.status, await page.text()]).toEqual([200, '<!doctype html><title>the page</title>']);
    expect(page.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    const bare = await server.fetch('/playground');
    expect([bare.status, bare.headers.get('location')]).toEqual([308, '/playground/']);
    expect((await server.fetch('/playground/assets/page.js')).headers.get('content-type')).toContain('text/javascript');
    for (const path of ['/playground/notes.secret', '/playground/../v1/models', '/playground/%2e%2e/package.json']) {
      expect((await server.fetch(path)).status, path).toBe(401);
    }
    expect((await server.fetch('/playground/', { method: 'POST' })).status).toBe(401);
  } finally {
    await server.close();
  }
  expect(await playgroundFolder(temporaryFolder())).toBeUndefined();
});

test('a port that is in use is said, with the way out', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = other.address() as AddressInfo;
    await expect(serveFiles(new Map(), { port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const outcome = await microgpt(['playground', '--port', '70000'], { cwd: temporaryFolder() });
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toContain('--port is "70000", expected a whole number from 0 to 65535');
  } finally {
    other.close();
  }
});

test('a run in one file goes on in a folder of its own, to the bit; a model alone does not', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'pets.txt'), 'rex\nbella\nmilo\nluna\nrocky\nbruno\n');
  const train = (...args: string[]) => microgpt(['train', ...args, '--samples', '2'], { cwd });
  const begin = ['--data', 'pets.txt', '--format', 'lines', '--recipe', 'canonical', '--steps', '20'];
  const straight = await train(...begin, '--run', 'straight', '--output', 'straight.json');
  expect(straight.code, straight.stderr).toBe(0);
  await train(...begin, '--run', 'half', '--stop-after', '7', '--output', 'half.json');

  const missing = await train('--resume', 'half/checkpoints/step-00000007.safetensors');
  expect(missing.code).toBe(2);
  expect(missing.stderr).toContain('begun with pets.txt, which does not come with microgpt');
  const flags = ['--resume', 'half/checkpoints/step-00000007.safetensors', '--data', 'pets.txt'];
  const resumed = await train(...flags, '--run', 'here', '--output', 'resumed.json');
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(resumed.stderr).toContain('goes on in here');
  expect(resumed.stdout).toBe(straight.stdout);

  const documents = ['rex', 'bella'];
  const training = createTraining({ documents, steps: 3 });
  writeFileSync(join(cwd, 'model.safetensors'), encodeSafetensors(training.checkpoint()));
  training.close();
  const alone = await train('--resume', 'model.safetensors');
  expect(alone.stderr).toContain('MG_RESUME_IMPOSSIBLE');
});
