// Processes of an app as lines.

import { compareText } from '#kit/compare-text.ts'
import type { Output } from '../output/output.ts'
import { ageText } from '../output/times.ts'
import type { Pod } from './app-records.ts'

/** By type and name: `web-abc up (v2)`. With `now` the age follows. */
export function processLines(output: Output, app: string, pods: readonly Pod[], now: number | null = null): string[] {
  const lines = [`=== ${app} Processes`]
  const types = [...new Set(pods.map(({ type }) => type))].sort(compareText)
  for (const type of types) {
    lines.push(`--- ${type}:`)
    const ofType = pods.filter(pod => pod.type === type).sort((a, b) => compareText(a.name, b.name))
    for (const { name, state, release, started } of ofType) {
      const age = now === null || Number.isNaN(Date.parse(started)) ? '' : ` ${ageText(now - Date.parse(started))}`
      lines.push(`${name} ${coloured(output, state)} (${release})${age}`)
    }
  }
  return lines
}

function coloured(output: Output, state: string): string {
  if (state === 'up') return output.paint('green', state)
  return output.paint(/crash|error|down/i.test(state) ? 'red' : 'yellow', state)
}
