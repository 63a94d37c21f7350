import { defineConfig } from 'vitest/config';

const fixedSeed = 'test/helpers/fixed-seed.ts';

export default defineConfig({
  test: {
    // Most tests wait for sockets more than they compute.
    maxWorkers: '100%',
    globalSetup: 'test/helpers/build.ts',
    projects: [
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          setupFiles: ['test/helpers/mocked-network.ts', fixedSeed],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/**/*.test.ts'],
          exclude: ['test/contract/**', 'test/clients/**', 'test/crash/**'],
          setupFiles: ['test/helpers/no-network.ts', fixedSeed],
          testTimeout: 20_000,
        },
      },
    ],
  },
});
