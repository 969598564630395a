import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MODELS } from '../../test/hostile/models.js';
import { testOn } from '../../test/needs.js';
import type { MicrogptError } from '../base/errors.js';
import { encodeSafetensors } from '../checkpoint/safetensors.js';
import { findNewestModel, loadModel, saveModel, saveModelAs } from './models.js';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'microgpt-models-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (...names: string[]) => join(folder, ...names);
const native = encodeSafetensors(MODELS.safetensors.model);
const codeOf = async (path: string) =>
  loadModel(path).then(
    ({ format }) => format,
    (error: MicrogptError) => error.code,
  );

test('a pair is found by its prefix, by either of its files, and in its folder', async () => {
  cpSync(join(FIXTURES, 'prefix-bin'), at('cpp'), { recursive: true });
  cpSync(join(FIXTURES, 'weights-meta/names-model'), at('rust'), { recursive: true });
  for (const name of ['ckpt_d16_l2_step20', 'ckpt_d16_l2_step20.json', 'ckpt_d16_l2_step20.bin']) {
    const { checkpoint, format, bytes } = await loadModel(at('cpp', name));
    expect([format, checkpoint.optimizer?.step, bytes]).toEqual(['prefix .json + .bin', 20, 182_163]);
  }
  for (const path of ['rust', 'rust/meta.json', 'rust/weights.json']) {
    expect(await codeOf(at(path)), path).toBe('weights.json + meta.json');
  }
  rmSync(at('cpp/ckpt_d16_l2_step20.bin'));
  expect(await codeOf(at('cpp/ckpt_d16_l2_step20.json'))).toBe('MG_FILE_MISSING');
  rmSync(at('rust/weights.json'));
  expect(await codeOf(at('rust'))).toBe('MG_FILE_MISSING');
});

test('a folder of a run: its final model, else its newest checkpoint', async () => {
  mkdirSync(at('run/checkpoints'), { recursive: true });
  expect(await codeOf(at('run'))).toBe('MG_FILE_MISSING');
  writeFileSync(at('run/checkpoints/step-00000900.safetensors'), 'damaged');
  writeFileSync(at('run/checkpoints/step-00010000.safetensors'), native);
  writeFileSync(at('run/checkpoints/.step-00020000.safetensors.1.0.tmp'), 'half');
  expect((await loadModel(at('run'))).file).toBe(at('run/checkpoints/step-00010000.safetensors'));
  writeFileSync(at('run/model.safetensors'), native);
  expect((await loadModel(at('run'))).file).toBe(at('run/model.safetensors'));
});

test('a folder without a model says so, and names a file in it that may be one', async () => {
  mkdirSync(at('empty'));
  await expect(loadModel(at('empty'))).rejects.toMatchObject({
    code: 'MG_FILE_MISSING',
    message: expect.stringContaining(`the folder ${at('empty')} holds no model`),
    remedy: expect.stringContaining('names or chat'),
  });
  cpSync(join(FIXTURES, 'prefix-bin'), at('cpp'), { recursive: true });
  await expect(loadModel(at('cpp'))).rejects.toMatchObject({
    remedy: `name a file in it, such as ${at('cpp/ckpt_d16_l2_step20.json')}`,
  });
});

test('a partner named inside of a file is not even looked at', async () => {
  cpSync(join(FIXTURES, 'prefix-bin/init_d16_l2.json'), at('a.json'));
  const json = JSON.parse(execFileSync('cat', [at('a.json')], { encoding: 'utf8' }));
  for (const name of ['../../etc/passwd', '/etc/passwd', 'http://127.0.0.1/x']) {
    writeFileSync(at('a.json'), JSON.stringify({ ...json, bin: name, file: name, partner: name }));
    await expect(loadModel(at('a.json'))).rejects.toMatchObject({
      code: 'MG_FILE_MISSING',
      message: `there is no file ${at('a.bin')}`,
    });
  }
});

testOn('Linux', 'folders, devices and pipes are refused at once, also as the other half', async () => {
  execFileSync('mkfifo', [at('pipe')]);
  symlinkSync('/dev/zero', at('zero.safetensors'));
  mkdirSync(at('empty'));
  cpSync(join(FIXTURES, 'prefix-bin/init_d16_l2.json'), at('half.json'));
  execFileSync('mkfifo', [at('half.bin')]);
  const server = createServer().listen(at('socket'));
  await once(server, 'listening');
  // Reading any of them would never end.
  for (const path of [at('pipe'), '/dev/zero', at('socket'), at('zero.safetensors'), at('half.json')]) {
    expect(await codeOf(path), path).toBe('MG_FILE_KIND');
  }
  expect(await codeOf(at('empty'))).toBe('MG_FILE_MISSING');
  server.close();
});

test('saved in the format that the path asks for, or in the one that is asked for', async () => {
  const { model } = MODELS['nested model.json'];
  const saved = async (path: string, format?: 'flat model.json') => {
    const { format: chosen } = await saveModelAs(at(path), model, { format });
    return [chosen, await codeOf(at(path))];
  };
  for (const [path, format] of [
    ['a/model.json', 'nested model.json'],
    ['model.safetensors', 'safetensors'],
    ['out/', 'weights.json + meta.json'],
  ] as const) {
    expect(await saved(path)).toEqual([format, format]);
  }
  expect(await saved('flat.json', 'flat model.json')).toEqual(['flat model.json', 'flat model.json']);
  await saveModel(at('bytes'), MODELS['prefix .json + .bin'].model);
  expect(await codeOf(at('bytes'))).toBe('prefix .json + .bin');
  expect(readdirSync(folder).sort()).toEqual(['a', 'bytes.bin', 'bytes.json', 'flat.json', 'model.safetensors', 'out']);
  // What cannot be written leaves nothing behind.
  await expect(saveModelAs(at('x'), model)).rejects.toMatchObject({ code: 'MG_CKPT_FORMAT' });
  expect(readdirSync(folder)).not.toContain('x.json');
});

test('the newest model is found in either of our formats', async () => {
  mkdirSync(at('models/a'), { recursive: true });
  mkdirSync(at('models/b'));
  const place = (path: string, time: number) => {
    writeFileSync(at(path), native);
    utimesSync(at(path), time, time);
  };
  place('models/a/model.json', 1000);
  expect(await findNewestModel(folder)).toBe(at('models/a/model.json'));
  place('models/b/model.safetensors', 2000);
  expect(await findNewestModel(folder)).toBe(at('models/b/model.safetensors'));
  place('model.safetensors', 3000);
  expect(await findNewestModel(folder)).toBe(at('model.safetensors'));
});
