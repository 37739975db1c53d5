// `npm run test:processes`: what `npm test` leaves out, as each file starts many processes.

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { processTests } from './files.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

// As in the configuration of the root: half of what a start takes.
process.env.NODE_COMPILE_CACHE ??= `${root}node_modules/.cache/compiled`

export default defineConfig({
  root,
  test: {
    include: [...processTests],
    exclude: ['node_modules/**', 'test/cluster/**'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    // Each has processes of its own that compute meanwhile.
    maxWorkers: 2,
  },
})
