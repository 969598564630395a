// What a fresh clone needs before anything runs: packages installed and TypeScript compiled.
// Does nothing that is already done, so that everything works offline after the first time.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const windows = process.platform === 'win32';

/** Runs a command with its output shown on stderr; ends this process with its exit code when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['inherit', 2, 2], ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Installs the packages of `folder` unless they are there. A folder without a lock file names exact versions that need nothing else. */
export function install(folder = root) {
  const locked = existsSync(`${folder}/package-lock.json`);
  if (locked ? installedAsLocked(folder) : installedAsNamed(folder)) return;
  console.error(`Installing packages (once)${folder === root ? '' : ` in ${folder}`} …`);
  const args = [...(locked ? ['ci'] : ['install', '--no-package-lock']), '--no-audit', '--no-fund', '--ignore-scripts'];
  // On Windows npm is a script that only a shell can start.
  run(windows ? 'npm.cmd' : 'npm', [...args, '--loglevel=error'], { cwd: folder, shell: windows });
}

/** Compiles src/ and examples/ into dist/. */
export function build() {
  const tsc = `${root}/node_modules/typescript/bin/tsc`;
  run(process.execPath, [tsc, '-p', 'tsconfig.build.json']);
  run(process.execPath, [tsc, '-p', 'examples/tsconfig.json']);
  writeFileSync(`${root}/dist/.built`, '');
}

/** Whether dist/ is missing or older than a source file. */
export function stale() {
  const built = statSync(`${root}/dist/.built`, { throwIfNoEntry: false });
  if (built === undefined) return true;
  const sources = readdirSync(`${root}/src`, { recursive: true }).filter((file) => file.endsWith('.ts'));
  return sources.some((file) => statSync(`${root}/src/${file}`).mtimeMs > built.mtimeMs);
}

export function setUp() {
  install();
  build();
}

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

function installedAsLocked(folder) {
  const have = `${folder}/node_modules/.package-lock.json`;
  if (!existsSync(have)) return false;
  const present = readJson(have).packages;
  return Object.entries(readJson(`${folder}/package-lock.json`).packages).every(
    ([path, entry]) => path === '' || entry.optional || present[path]?.version === entry.version,
  );
}

function installedAsNamed(folder) {
  return Object.entries(readJson(`${folder}/package.json`).devDependencies).every(([name, version]) => {
    const path = `${folder}/node_modules/${name}/package.json`;
    return existsSync(path) && readJson(path).version === version;
  });
}
