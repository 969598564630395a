// npm run build (and npm's `prepare`): compiles, provided that the compiler is installed.
import { build, install } from './setup.mjs';

install();
build();
