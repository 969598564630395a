// What a fresh clone needs before anything runs: packages installed and TypeScript compiled.
// Does nothing that is already done, so that everything works offline after the first time.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs a command with its output shown on stderr; ends this process with its exit code when it fails. */
export function run(command, args, options = {}) {
  const shell = process.platform === 'win32';
  const result = spawnSync(command, args, { cwd: root, stdio: ['inherit', 2, 2], shell, ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Installs the packages of `folder` when its lock file asks for something that is not there. */
export function install(folder = root) {
  if (installed(folder)) return;
  console.error(`Installing packages (once)${folder === root ? '' : ` in ${folder}`} …`);
  run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'], { cwd: folder });
}

/** Compiles src/ and examples/ into dist/. */
export function build() {
  const tsc = `${root}/node_modules/typescript/bin/tsc`;
  run(process.execPath, [tsc, '-p', 'tsconfig.build.json']);
  run(process.execPath, [tsc, '-p', 'examples/tsconfig.json']);
}

export function setUp() {
  install();
  build();
}

function installed(folder) {
  const have = `${folder}/node_modules/.package-lock.json`;
  if (!existsSync(have)) return false;
  const wanted = JSON.parse(readFileSync(`${folder}/package-lock.json`, 'utf8')).packages;
  const present = JSON.parse(readFileSync(have, 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional || present[path]?.version === entry.version,
  );
}
