import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// Workers, and the services that tests start as processes, find there what V8 made of our files and of libraries: half of
// what a start takes. Node keys it by content and version. Here and not in `test.env`, which is set in a worker that runs
// already.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url))

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
