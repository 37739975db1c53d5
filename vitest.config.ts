import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'test/cluster/**', 'test/charts/**', 'test/conformance/**', 'test/soak/**'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    // Many tests wait more than they compute.
    maxWorkers: 4,
  },
})
