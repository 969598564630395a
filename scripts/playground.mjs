// npm run playground: builds web/ into dist/playground, as a folder and as one file. Its packages are installed on demand, in web/.
import { rmSync } from 'node:fs';
import { build, install, root, run, stale } from './setup.mjs';

install();
if (stale()) build();
install(`${root}/web`);
const vite = `${root}/web/node_modules/vite/bin/vite.js`;
run(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, '-p', `${root}/web/tsconfig.json`]);
rmSync(`${root}/dist/playground`, { recursive: true, force: true });
for (const mode of ['folder', 'file']) {
  run(process.execPath, [vite, 'build', '--mode', mode, '--logLevel', 'warn'], {
    cwd: `${root}/web`,
    env: { ...process.env, NODE_ENV: 'production' },
  });
}
