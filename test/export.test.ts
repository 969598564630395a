// microgpt export, as a user runs it; the page is opened from disk in Chromium (full tier) and must print what `microgpt generate` prints.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeModel } from '../src/checkpoint/decode.js';
import { importsOf } from '../src/export/html.js';
import { chromium, NO_BROWSER } from './chromium.js';
import { microgpt, runCommand, temporaryFolder } from './cli.js';
import { goldenText } from './golden.js';
import { testFullWith } from './needs.js';

async function exported(...flags: string[]) {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'model.json'), goldenText('persistence/model.json'));
  const outcome = await microgpt(['export', '--model', 'model.json', ...flags], { cwd });
  return { cwd, ...outcome };
}

test('one page with everything in it: each import is in its map, and the model is the model', async () => {
  const { cwd, code, stdout } = await exported('--html', 'page.html', '--onnx', 'graph.onnx');
  expect([code, stdout]).toEqual([0, '']);
  expect(readdirSync(cwd).sort()).toEqual(['graph.onnx', 'model.json', 'page.html']);
  const page = readFileSync(join(cwd, 'page.html'), 'utf8');
  const { imports } = JSON.parse(/<script type="importmap">(.+)<\/script>/.exec(page)![1]) as {
    imports: Record<string, string>;
  };
  for (const [path, address] of Object.entries(imports)) {
    const source = Buffer.from(address.replace('data:text/javascript;base64,', ''), 'base64').toString();
    expect(importsOf(path, source), path).toEqual([]); // no import by a relative path is left
    for (const [, to] of source.matchAll(/from '(microgpt\/[^']+)'/g)) expect(imports[to], to).toBeDefined();
  }
  expect(page).not.toMatch(/\b(src|href)=/);
  expect(page).toContain("default-src 'none'");
  const inside = Buffer.from(/id="model">([^<]+)</.exec(page)![1], 'base64');
  const { checkpoint } = decodeModel(new Uint8Array(inside), 'page');
  const original = decodeModel(new TextEncoder().encode(goldenText('persistence/model.json')), 'model.json').checkpoint;
  expect(checkpoint.parameters).toEqual(original.parameters);
  expect(checkpoint.tokenizer.bos).toBe(0);
});

test('half the numbers, and what there is nothing to do for', async () => {
  const exact = await exported('--html', 'page.html');
  const half = await exported('--html', 'page.html', '--half');
  const size = ({ cwd }: { cwd: string }) => readFileSync(join(cwd, 'page.html')).length;
  expect(size(half)).toBeLessThan(size(exact) - 30_000); // 4,064 numbers of 8 bytes become 2
  const nothing = await exported();
  expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining('error MG_CLI_USAGE') });
});

testFullWith(NO_BROWSER, 'opened from disk it prints the samples of microgpt generate', async () => {
  const { cwd } = await exported('--html', 'page.html');
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=10000', '--dump-dom'];
  const { stdout } = await runCommand(chromium!, [...args, `file://${join(cwd, 'page.html')}`], { cwd });
  const samples = [...stdout.matchAll(/<li>([^<]*)<\/li>/g)].map((match) => match[1]);
  const generated = await microgpt(['generate', '--model', 'model.json'], { cwd });
  expect(`${samples.join('\n')}\n`).toBe(generated.stdout);
  expect(samples).toHaveLength(20);
});
