// Makes cli/dist, what a package of the `deis` command runs: plain JavaScript for any Node from 20 on, in few files, as
// Node strips no types under node_modules. `npm pack` does it, and removes it again, so that it never grows stale.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

const root = join(import.meta.dirname, '..')
const to = process.argv.indexOf('--to')
const directory = to === -1 ? join(root, 'cli/dist') : process.argv[to + 1]

rmSync(directory, { recursive: true, force: true })
if (!process.argv.includes('--remove')) {
  const bundle = await rolldown({
    input: { main: join(root, 'cli/main.ts') },
    platform: 'node',
    transform: { target: 'node20' },
    logLevel: 'warn',
  })
  await bundle.write({
    dir: directory,
    format: 'esm',
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name].mjs',
    comments: false,
  })
  await bundle.close()
  // What the bundle holds of others, and the terms that must go with it.
  const terms = readFileSync(join(root, 'node_modules/yaml/LICENSE'), 'utf8')
  writeFileSync(join(directory, 'THIRD-PARTY.txt'), `This holds the package yaml:\n\n${terms}`)
}
