// `npm run test:conformance`: what takes minutes and no node: clients, checkers and servers of others against ours, charts with
// helm itself, and a controller killed at sixty moments. Nothing here is held against time, so it may run beside other suites.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['test/conformance/**/*.test.ts', 'test/charts/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    // One file at a time leaves the other core to whatever runs beside it.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
    globalSetup: ['test/conformance/global-setup.ts'],
  },
})
