import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { processTests } from './test/processes/files.ts'

// Workers, and the services that tests start as processes, find there what V8 made of our files and of libraries: half of
// what a start takes. Node keys it by content and version. Here and not in `test.env`, which is set in a worker that runs
// already.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url))

/**
 * Rooms of many small files whose modules keep nothing: they share a few workers, as starting one and reading the same
 * modules took most of their time. Where threads, servers of their own, garbage or leaked handles are looked at, a file is
 * alone, as everywhere else.
 */
const together = [
  'bench/{change,cluster,soak,support}/!(process-stat).test.ts',
  'builder/build/kubernetes/!(source-server).test.ts',
  'cli/**/*.test.ts',
  'controller/{cluster/kubernetes,domain}/*.test.ts',
  'kube/*.test.ts',
  'logger/{config,line,router-line,drains/networks,syslog/*}.test.ts',
  'router/control/!(data-plane|snapshot|spare-workers).test.ts',
  'router/data/{h2,http,policy,table}/*.test.ts',
  'router/data/upstream/!(health-check).test.ts',
  'router/model/*.test.ts',
]

/** Suites with configurations of their own. */
const elsewhere = [
  'node_modules/**',
  'test/cluster/**',
  'test/charts/**',
  'test/conformance/**',
  'test/soak/**',
  ...processTests,
]

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    // Many tests wait more than they compute.
    maxWorkers: 4,
    projects: [
      {
        extends: true,
        test: { name: 'alone', include: ['**/*.test.ts'], exclude: [...elsewhere, ...together] },
      },
      { extends: true, test: { name: 'together', include: together, exclude: elsewhere, isolate: false } },
    ],
  },
})
