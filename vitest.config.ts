import { defineConfig } from 'vitest/config';

const fixedSeed = 'test/helpers/fixed-seed.ts';

// To be measured makes everything slower.
const testTimeout = process.argv.includes('--coverage') ? 60_000 : 20_000;

const decisive = [
  'src/targets/outcome.ts',
  'src/generations/backoff.ts',
  'src/targets/retry-budget.ts',
  'src/generations/ask-targets.ts',
  'src/http/access.ts',
  'src/upstream/guarded-connector.ts',
];

export default defineConfig({
  test: {
    // Most tests wait for sockets more than they compute.
    maxWorkers: '100%',
    globalSetup: 'test/helpers/build.ts',
    // Of what runs in the tests' own processes; programs that they start are not counted.
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reportOnFailure: true,
      reporter: ['text-summary', 'json-summary', 'json', 'html'],
      thresholds: {
        lines: 90,
        // What decides about money, about who is let in, and about where connections go.
        ...Object.fromEntries(decisive.map((file) => [file, { branches: 100 }])),
      },
    },
    projects: [
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          setupFiles: ['test/helpers/mocked-network.ts', fixedSeed],
          testTimeout,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/**/*.test.ts'],
          exclude: ['test/contract/**', 'test/clients/**', 'test/crash/**'],
          setupFiles: ['test/helpers/no-network.ts', fixedSeed],
          testTimeout,
        },
      },
    ],
  },
});
