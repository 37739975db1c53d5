// What attacks on HTTP/2 do to the router and to a client beside them: `npm run bench:abuse`. See bench/README.md.

import { Command } from 'commander'
import { attacks } from '#test/support/http2-attacks.ts'
import { Site } from '#test/support/site.ts'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { describeMachine } from '../support/machine.ts'
import { saveResult } from '../support/results.ts'
import { type Damage, measureAttack, measurePeace, siteOptions } from './measure.ts'

const args = process.argv.slice(2)
const machine = describeMachine()
const options = exitOnMistake(new Command('npm run bench:abuse --'))
  .description('Measures what attacks on HTTP/2 do to the router and to a client beside them. See bench/README.md.')
  .option('--seconds <n>', 'length of each attack', wholeNumber, 4)
  .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
  .parse(args, { from: 'user' })
  .opts<{ seconds: number; json?: string }>()

const outcomes: Damage[] = []
{
  await using site = await Site.start(siteOptions)
  console.log('attack'.padEnd(66), 'conns   longest ms  p99 ms before, meanwhile  failed  MB more')
  for (const attack of attacks) {
    const damage = await measureAttack(site, attack, options.seconds, await measurePeace(site))
    outcomes.push(damage)
    const { connections, longest, before, meanwhile, failed, memory } = damage
    const cells = [connections, longest.toFixed(0), before.toFixed(1), meanwhile.toFixed(1), failed]
    console.log(
      attack.name.padEnd(66),
      cells.map(cell => String(cell).padStart(9)).join(''),
      (memory / 1e6).toFixed(0).padStart(8),
    )
  }
}
const head = { date: new Date().toISOString(), command: commandLine('bench:abuse', args), machine }
const { json = null, ...settings } = options
console.log(`\nKept as ${saveResult('abuse', { ...head, settings, attacks: outcomes }, json)}`)
