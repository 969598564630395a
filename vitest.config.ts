import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    globalSetup: 'test/programs.ts',
    testTimeout: process.env['MICROGPT_TEST_TIER'] === 'full' ? 300_000 : 60_000,
    // Vitest leaves a core to whoever watches; on two cores that would be half of them.
    maxWorkers: '100%',
  },
});
