// Makes a package of the `deis` command alone, deis-VERSION.tgz in this directory: no dependencies, for `npm install -g`.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const stage = mkdtempSync(join(tmpdir(), 'pack-cli-'))
const bundle = (...flags) =>
  execFileSync(process.execPath, [join(root, 'scripts/bundle-cli.mjs'), ...flags], { stdio: 'inherit' })
try {
  bundle()
  const { version, license, type, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const manifest = {
    ...{ name: 'deis', version, description: 'The deis command: apps on Deis Workflow.', license, type, engines },
    bin: { deis: 'bin/deis.mjs' },
  }
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  for (const [from, to] of [
    ['cli/bin', 'bin'],
    ['cli/dist', 'dist'],
    ['LICENSE', 'LICENSE'],
    ['docs/cli.md', 'README.md'],
  ])
    cpSync(join(root, from), join(stage, to), { recursive: true })
  execFileSync('npm', ['pack', stage], { stdio: ['ignore', 'inherit', 'inherit'] })
} finally {
  bundle('--remove')
  rmSync(stage, { recursive: true, force: true })
}
