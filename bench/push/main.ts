// How long `git push` takes until the app answers, on one machine, and whether a request is lost while an app is pushed again
// and again. `npm run bench:push`; see bench/README.md.

import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { ask, example, LocalPlatform, visitors } from '#test/support/local-platform.ts'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { describeMachine } from '../support/machine.ts'
import { saveResult } from '../support/results.ts'
import { spread } from '../support/statistics.ts'

const args = process.argv.slice(2)
const command = exitOnMistake(new Command('npm run bench:push --'))
  .description('Measures git push on one machine. See bench/README.md.')
  .option('--pushes <n>', 'pushes after the first', wholeNumber, 20)
  .option('--rate <n>', 'requests per second meanwhile', wholeNumber, 200)
  .parse(args, { from: 'user' })
const { pushes, rate } = command.opts<{ pushes: number; rate: number }>()

await using platform = await LocalPlatform.start()
const { stage, router } = platform
const person = await stage.person()
const host = await platform.app(person, 'shop')
const files = await example('node-app', 'server.js', 'package.json')
const repository = await person.repository(files)

/** Seconds from `git push` to the first answer of the new release. */
async function push(version: number): Promise<number> {
  const began = performance.now()
  const { code, err } = await person.push(repository, 'shop')
  if (code !== 0) throw new Error(`the push failed:\n${err}`)
  for (;;) {
    const { status, text } = await ask(router.httpPort, host)
    if (status === 200 && text.includes(`v${version}`)) return (performance.now() - began) / 1000
    await delay(10)
  }
}

const first = await push(2)
const others: number[] = []
const { sent, failed } = await visitors(router.httpPort, host, 1000 / rate, async () => {
  for (let version = 3; version < pushes + 3; version++) {
    await person.commit(repository, { 'server.js': `${files['server.js']}\n// ${version}\n` })
    others.push(await push(version))
  }
})
const { median, max } = spread(others)!
console.log(`first push to live             ${first.toFixed(2)} s`)
console.log(`each of ${pushes} more, median / max  ${median.toFixed(2)} / ${max.toFixed(2)} s`)
console.log(`requests meanwhile             ${sent}, failed ${failed.length}`)
const head = { date: new Date().toISOString(), command: commandLine('bench:push', args), machine: describeMachine() }
const result = { ...head, seconds: { first, others }, requests: { sent, failed: failed.length, rate } }
console.log(`Kept as ${saveResult('push', result, null)}`)
if (failed.length > 0) process.exitCode = 1
