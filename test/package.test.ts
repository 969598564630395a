// What a user installs: the packed tarball, in an empty TypeScript project and in a fresh clone.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeModel } from '../src/checkpoint/decode.js';
import { ROOT, runCommand, temporaryFolder } from './cli.js';
import { describeFull } from './needs.js';

const npm = async (args: string[], cwd: string) => {
  const outcome = await runCommand('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd });
  expect(outcome.code, outcome.stderr + outcome.stdout).toBe(0);
  return outcome;
};

test('importing the library runs nothing and prints nothing', async () => {
  const cwd = temporaryFolder();
  const script = `const before = Object.keys(globalThis).join();
    await import(${JSON.stringify(join(ROOT, 'dist/index.js'))});
    await import(${JSON.stringify(join(ROOT, 'dist/cli/main.js'))});
    if (Object.keys(globalThis).join() !== before) console.log('globals changed');`;
  const outcome = await runCommand(process.execPath, ['--input-type=module', '-e', script], { cwd });
  expect(outcome).toMatchObject({ code: 0, stdout: '', stderr: '' });
});

describeFull('as a user gets it', () => {
  test('the tarball installs, type-checks under strict settings, trains, saves and generates', async () => {
    const cwd = temporaryFolder();
    const packed = await npm(['pack', '--ignore-scripts', '--pack-destination', cwd], ROOT);
    const tarball = packed.stdout.trim().split('\n').at(-1) as string;
    writeFileSync(join(cwd, 'package.json'), '{"name": "empty", "private": true, "type": "module"}');
    await npm(['install', '--prefer-offline', `./${tarball}`], cwd);

    for (const wanted of [
      'bin/microgpt.js',
      'bundled/chat.safetensors',
      'dist/index.js',
      'datasets/names.txt',
      'scenarios/names.json',
      'docs/training.md', // the README leads there
      'examples/own-text.ts',
      'SECURITY.md',
      'LICENSE',
    ]) {
      expect(existsSync(join(cwd, 'node_modules/microgpt', wanted)), wanted).toBe(true);
    }
    for (const unwanted of ['src', 'test', 'dist/.tsbuildinfo', 'dist/.built', 'scripts']) {
      expect(existsSync(join(cwd, 'node_modules/microgpt', unwanted)), unwanted).toBe(false);
    }

    writeFileSync(
      join(cwd, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noUncheckedIndexedAccess: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: false,
          module: 'NodeNext',
          target: 'ES2022',
          lib: ['ES2023', 'DOM'],
          types: [],
        },
        files: ['main.ts'],
      }),
    );
    writeFileSync(
      join(cwd, 'main.ts'),
      `import { createService, createTraining, generate, MicrogptError, trainModel, type Checkpoint, type DataFacts } from 'microgpt';
import { loadModel, saveModel } from 'microgpt/node';
import { createServer, type Server } from 'microgpt/server';
import { whyNoThreads } from 'microgpt/browser';

const documents = ['rex', 'bella', 'milo', 'luna', 'rocky'];
const model: Checkpoint = await trainModel({ documents, steps: 50, seed: 1, model: { nEmbd: 8 } });
const bytes: number = await saveModel('pets.json', model);
const { checkpoint } = await loadModel('pets.json');
const names: string[] = generate(checkpoint, { samples: 2, seed: 1 });
const training = createTraining({ documents, steps: 2 });
const facts: DataFacts = training.data;
for await (const event of training.events()) if (event.type === 'step') console.log(event.step, event.loss > 0);
const server: Server = createServer({ models: { pets: checkpoint } });
const answer: Response = await server.fetch('/v1/models');
console.log(facts.documents, bytes > 1000, names.length, answer.status, typeof whyNoThreads);
await server.close();
for (const wrong of [
  // @ts-expect-error a number makes no threads
  () => generate(checkpoint, { threads: 2 }),
  // @ts-expect-error misspelled
  () => createService(checkpoint, { place: 2 }),
]) {
  try {
    wrong();
  } catch (error) {
    console.log(error instanceof MicrogptError && error.code, error instanceof MicrogptError && error.remedy.length > 20);
  }
}
`,
    );
    const checked = await runCommand(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.'], {
      cwd,
    });
    expect(checked.code, checked.stdout).toBe(0);
    // As those who bundle ask for types.
    const bundled = await runCommand(
      process.execPath,
      [
        join(ROOT, 'node_modules/typescript/bin/tsc'),
        ...['-p', '.', '--module', 'esnext', '--moduleResolution', 'bundler', '--noEmit'],
      ],
      { cwd },
    );
    expect(bundled.code, bundled.stdout).toBe(0);
    const ran = await runCommand(process.execPath, ['main.js'], { cwd });
    expect(ran).toMatchObject({
      code: 0,
      stdout: '1 true\n2 true\n5 true 2 200 function\nMG_OPTION_VALUE true\nMG_OPTION_VALUE true\n',
    });

    const command = await runCommand('npx', ['--no-install', 'microgpt', 'train', 'names', '--steps', '2'], { cwd });
    expect(command.code, command.stderr).toBe(0);
    expect(command.stdout.trim().split('\n')).toHaveLength(20);
  });

  test('npm start in a fresh clone sets everything up, trains and prints 20 names; so does the bare command', async () => {
    const folder = temporaryFolder();
    const cloned = await runCommand('git', ['clone', '--quiet', ROOT, 'clone'], { cwd: folder });
    expect(cloned.code, cloned.stderr).toBe(0);
    const clone = join(folder, 'clone');
    const started = await runCommand('npm', ['start', '--silent'], { cwd: clone });
    expect(started.code, started.stderr).toBe(0);
    expect(started.stdout.trim().split('\n')).toHaveLength(20);
    const saved = join(clone, 'models/names/model.safetensors');
    expect(decodeModel(readFileSync(saved), saved).checkpoint.tokenizer.size).toBe(27);

    // A second clone, used without any set-up: the command sees to it.
    mkdirSync(join(folder, 'empty'));
    await runCommand('git', ['clone', '--quiet', ROOT, 'second'], { cwd: folder });
    const bare = await runCommand(
      process.execPath,
      [join(folder, 'second/bin/microgpt.js'), 'train', 'names', '--steps', '1'],
      {
        cwd: join(folder, 'empty'),
      },
    );
    expect(bare.code, bare.stderr).toBe(0);
    expect(bare.stdout.trim().split('\n')).toHaveLength(20);
  });
});
