// npm run check / npm run format: Biome over the whole project. It lives with the packages of the full test tier because of its size.
import { install, root, run } from './setup.mjs';

install(`${root}/test/full`);
run(process.execPath, [`${root}/test/full/node_modules/@biomejs/biome/bin/biome`, 'check', ...process.argv.slice(2)]);
