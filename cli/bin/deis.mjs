#!/usr/bin/env node
// Starts the `deis` command on whatever Node (>= 20) runs this. Plain JavaScript: it comes before everything else.
//
// In a checkout the sources run as they are, on a Node that strips types, or else on the one that npm brings. A package
// from `npm pack` has a bundle beside this file, as Node strips no types under node_modules.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import * as module from 'node:module'
import { constants, homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// In a directory of one's own: what others can write to must not say what runs here.
module.enableCompileCache?.(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'deis'))

const bundle = new URL('../dist/main.mjs', import.meta.url)
const sources = new URL('../main.ts', import.meta.url)
const node = new URL('../../node_modules/.bin/node', import.meta.url)

if (!existsSync(sources)) await import(bundle.href)
else if (process.features.typescript === 'strip') await import(sources.href)
else if (existsSync(node)) {
  const child = spawn(fileURLToPath(node), [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  // What is sent to this process alone is passed on. A terminal tells both of us, and once more does no harm.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', error => {
    console.error(`Error: ${fileURLToPath(node)} cannot be run: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal]
  })
} else {
  console.error(
    `Error: this needs Node 26, and Node ${process.versions.node} runs it. In the checkout run: npm install`,
  )
  process.exitCode = 1
}
