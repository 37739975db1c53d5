import { expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import type { WatchState } from '#kube/watch.ts'
import { WatchLog } from './watch-log.ts'

const minute = 60_000

function watch(resource: string, lastError: string | null, connected = lastError === null): WatchState {
  return { resource, connected, synced: true, events: 0, relists: 0, reconnects: 0, lastError }
}

function bench() {
  const lines: string[] = []
  const write = (line: string): void => {
    const { level, watch, reason, failing, of } = JSON.parse(line)
    lines.push([level, watch, reason, failing, of].filter(part => part !== undefined).join(' '))
  }
  return { lines, log: new WatchLog(createLogger({ destination: { write } })) }
}

test('a watch that is lost and comes back is one line each', () => {
  const { lines, log } = bench()
  log.look([watch('services', null)], 0)
  log.look([watch('services', 'ECONNREFUSED')], 1)
  log.look([watch('services', 'ECONNREFUSED')], 2 * minute)
  log.look([watch('services', null)], 3 * minute)
  log.look([watch('services', null)], 9 * minute)
  expect(lines).toEqual(['warn services ECONNREFUSED', 'info services'])
})

test('a watch that could never connect is told of; one that is only about to is not', () => {
  const { lines, log } = bench()
  log.look([watch('services', 'ENOTFOUND'), watch('deployment', null, false)], 0)
  expect(lines).toEqual(['warn services ENOTFOUND'])
})

test('many Secrets are one line', () => {
  const { lines, log } = bench()
  log.look([watch('secret a/x', 'gone'), watch('secret a/y', 'gone'), watch('secret a/z', null)], 0)
  log.look([watch('secret a/x', null), watch('secret a/y', 'gone'), watch('secret a/z', null)], minute)
  log.look([watch('secret a/x', null), watch('secret a/y', null), watch('secret a/z', null)], 2 * minute)
  expect(lines).toEqual(['warn secrets gone 2 3', 'info secrets'])
})

test('a watch that comes and goes is a line a minute at most, and the last word is the truth', () => {
  const { lines, log } = bench()
  for (let at = 0; at < minute; at += 1000) log.look([watch('services', at % 2000 === 0 ? 'reset' : null)], at)
  expect(lines).toEqual(['warn services reset'])
  log.look([watch('services', null)], minute)
  expect(lines).toEqual(['warn services reset', 'info services'])
})
