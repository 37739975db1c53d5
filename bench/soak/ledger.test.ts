import { expect, test } from 'vitest'
import { Broken, Ledger } from './ledger.ts'

const row = (ledger: Ledger) => ledger.totals().find(({ kind }) => kind === 'GET')

test('failures of one kind for one reason are told once, with what was going on', () => {
  const ledger = new Ledger()
  ledger.done('GET', performance.now())
  {
    using _ = ledger.during('router replaced')
    ledger.failed('GET', performance.now(), new Error('status 502'))
  }
  // What has only just ended may be the cause.
  ledger.failed('GET', performance.now(), new Error('status 503'))
  ledger.failed('GET', performance.now(), new Error('status 502'))
  expect(row(ledger)).toMatchObject({ done: 1, failed: 3, lost: 0, redone: 0 })
  expect(ledger.failures).toMatchObject([
    { kind: 'GET', what: 'status 502', count: 2, during: ['router replaced'] },
    { kind: 'GET', what: 'status 503', count: 1, during: ['router replaced'] },
  ])
  expect(ledger.events).toEqual({ 'router replaced': 1 })
})

const deaths: [name: string, error: Error, killed: boolean, want: object][] = [
  ['a connection that breaks', new Broken('ECONNRESET'), false, { failed: 1, lost: 0 }],
  ['a connection that breaks with a data thread', new Broken('ECONNRESET'), true, { failed: 0, lost: 1 }],
  ['a wrong answer when a data thread dies', new Error('status 502'), true, { failed: 1, lost: 0 }],
]
for (const [name, error, killed, want] of deaths)
  test(name, () => {
    const ledger = new Ledger()
    const started = performance.now()
    if (killed) ledger.killed()
    ledger.failed('GET', started, error)
    expect(row(ledger)).toMatchObject(want)
  })

test('reasons without end are counted, not kept', () => {
  const ledger = new Ledger()
  for (let index = 0; index < 1_000; index++) ledger.failed('GET', performance.now(), new Error(`reason ${index}`))
  expect(row(ledger)?.failed).toBe(1_000)
  expect(ledger.failures).toHaveLength(100)
})
