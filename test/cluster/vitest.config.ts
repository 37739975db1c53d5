// `npm run test:cluster`: suites against a real Kubernetes, and what is held against time. One file at a time, because a
// machine has one node.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['test/cluster/**/*.test.ts', 'test/soak/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
    globalSetup: ['test/cluster/global-setup.ts'],
  },
})
