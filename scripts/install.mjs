// Brings node_modules up to the lockfile before a script runs, so that a fresh clone needs one command only.
// Plain JavaScript: it runs on whatever Node (>= 20) the machine has; what comes after runs on the Node 26 that it installs.
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'

const wanted = statSync('package-lock.json').mtimeMs
const stamp = 'node_modules/.package-lock.json'
const installed = existsSync(stamp) && existsSync('node_modules/.bin/node') && statSync(stamp).mtimeMs >= wanted
if (!installed) {
  console.error('Installing dependencies (once; again only when package-lock.json changes)...')
  const npm = process.env.npm_execpath
  // Not `npm ci`: it refuses a lockfile that lacks the builds of tools for other platforms, and not every registry serves
  // all of them. What the lockfile pins is installed as pinned, and the file itself is left as it is.
  const args = ['install', '--no-save', '--no-fund', '--no-audit', '--loglevel=error']
  if (npm) execFileSync(process.execPath, [npm, ...args], { stdio: 'inherit' })
  else execFileSync('npm', args, { stdio: 'inherit' })
}
