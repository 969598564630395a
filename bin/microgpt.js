#!/usr/bin/env node
// The command `microgpt`. In a clone, where sources lie beside it, it first compiles what is not compiled yet.
import { existsSync } from 'node:fs';

const setup = new URL('../scripts/setup.mjs', import.meta.url);
if (existsSync(setup)) {
  const { setUp, stale } = await import(setup.href);
  if (stale()) setUp();
}
const { main } = await import('../dist/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
