// Writes docs/errors.md from the catalogue in src/base/errors.ts (compiled). A test compares the file with it.
import { writeFileSync } from 'node:fs';
import { errorPage } from '../dist/base/error-page.js';

writeFileSync(new URL('../docs/errors.md', import.meta.url), errorPage());
