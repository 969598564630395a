import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BUNDLED_MODELS, findModel } from './bundled-models.js';
import { findNewestModel, loadModel } from './models.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'microgpt-bundled-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (...names: string[]) => join(folder, ...names);
const [names, chat] = BUNDLED_MODELS;
const file = (...path: string[]) => {
  mkdirSync(at(...path.slice(0, -1)), { recursive: true });
  writeFileSync(at(...path), '{}');
};
/** What a name means here: where, and which bundled model it is. */
const meaning = async (called: string | undefined, usual?: 'chat') => {
  const { path, bundled } = await findModel(called, { folder, usual });
  return bundled === null ? path : bundled.name;
};

test('without a name: the newest model that was trained here, or else the bundled one of the purpose', async () => {
  expect([await meaning(undefined), await meaning(undefined, 'chat')]).toEqual(['names', 'chat']);
  await expect(findNewestModel(folder)).rejects.toMatchObject({ code: 'MG_FILE_MISSING' });
  file('models', 'mine', 'model.safetensors');
  expect([await meaning(undefined), await meaning(undefined, 'chat')]).toEqual(
    Array(2).fill(at('models/mine/model.safetensors')),
  );
});

test('a name: what lies here under it, then what was trained under it, then what comes with microgpt', async () => {
  expect([await meaning('names'), await meaning('chat', 'chat')]).toEqual(['names', 'chat']);
  expect((await findModel('chat')).path).toBe(chat.path);
  file('models', 'names', 'model.safetensors');
  file('models', 'pets', 'model.safetensors');
  expect(await meaning('names')).toBe(at('models/names'));
  expect(await meaning('pets')).toBe(at('models/pets'));
  expect(await meaning('chat')).toBe('chat');
  file('names');
  expect(await meaning('names')).toBe(at('names'));
  file('pets.json');
  expect(await meaning('pets')).toBe(at('models/pets'));
  file('pets.bin');
  expect(await meaning('pets')).toBe(at('pets'));
});

test('a path is a path: nothing else is looked for', async () => {
  file('models', 'names', 'model.safetensors');
  file('models', 'names.json', 'model.safetensors');
  for (const path of ['./names', 'names/', 'names.json', 'x/names', '../names', '', '.', 'toString']) {
    expect(await meaning(path), path).toBe(join(folder, path));
  }
  expect(await meaning(names.path)).toBe(names.path);
  await expect(loadModel((await findModel('nowhere', { folder })).path)).rejects.toMatchObject({
    code: 'MG_FILE_MISSING',
  });
});
