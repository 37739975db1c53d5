// The log of a container over connections that break, against a server that says what the API server says.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KubeClient } from '#kube/client.ts'
import { followLog, TimedLines } from './pod-log.ts'

const lines: readonly (readonly [name: string, streams: readonly (readonly string[])[], want: readonly string[]])[] = [
  ['as they come', [['2026-03-01T12:00:00.5Z a', '2026-03-01T12:00:00.5Z b']], ['a', 'b']],
  ['an empty one', [['2026-03-01T12:00:00Z ', '2026-03-01T12:00:01Z']], ['', '']],
  [
    'those heard before are left out',
    [
      ['2026-03-01T12:00:00.1Z a', '2026-03-01T12:00:00.2Z b'],
      ['2026-03-01T12:00:00.1Z a', '2026-03-01T12:00:00.2Z b', '2026-03-01T12:00:00.30Z c'],
    ],
    ['a', 'b', 'c'],
  ],
  [
    'of several at one time too',
    [
      ['2026-03-01T12:00:00.1Z a', '2026-03-01T12:00:00.1Z b'],
      ['2026-03-01T12:00:00.1Z a', '2026-03-01T12:00:00.1Z b', '2026-03-01T12:00:00.1Z c'],
    ],
    ['a', 'b', 'c'],
  ],
  ['digits count as a fraction', [['2026-03-01T12:00:00.9Z a'], ['2026-03-01T12:00:00.900000001Z b']], ['a', 'b']],
  [
    'of two streams, whose times do not rise',
    [
      ['2026-03-01T12:00:00.9Z a', '2026-03-01T12:00:01.5Z b', '2026-03-01T12:00:01.4Z c', '2026-03-01T12:00:00.95Z d'],
      ['2026-03-01T12:00:01.5Z b', '2026-03-01T12:00:01.4Z c', '2026-03-01T12:00:01.3Z e', '2026-03-01T12:00:02Z f'],
    ],
    ['a', 'b', 'c', 'd', 'e', 'f'],
  ],
  [
    'zones are understood',
    [['2026-03-01T12:00:00Z a'], ['2026-03-01T12:00:00+01:00 x', '2026-03-01T14:00:01+02:00 b']],
    ['a', 'b'],
  ],
  [
    'the rest of a long line goes with its beginning',
    [
      ['2026-03-01T12:00:00Z a', 'rest'],
      ['2026-03-01T12:00:00Z a', 'rest'],
    ],
    ['a', 'rest'],
  ],
]
test.each(lines)('lines: %s', (_name, streams, want) => {
  const heard: string[] = []
  const timed = new TimedLines(line => heard.push(line))
  for (const stream of streams) {
    timed.begin()
    for (const line of stream) timed.push(line)
  }
  expect(heard).toEqual(want)
})

test('a log is followed over breaks, and ends with its container', async () => {
  const answers: ((response: ServerResponse) => void)[] = [
    response => void response.writeHead(400).end('{"kind":"Status","message":"waiting to start"}'),
    response => {
      response.write('2026-03-01T12:00:00.1Z one\n2026-03-01T12:00:01.1Z tw', () => response.destroy())
    },
    response => void response.end('2026-03-01T12:00:00.1Z one\n2026-03-01T12:00:01.1Z two\n'),
    response => {
      hasEnded = true
      response.end('2026-03-01T12:00:01.1Z two\n2026-03-01T12:00:02Z three')
    },
    response => void response.end('2026-03-01T12:00:02Z three'),
  ]
  let hasEnded = false
  const asked: (string | null)[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://x')
    asked.push(url.searchParams.get('sinceTime'))
    const answer = answers.shift()
    if (answer === undefined) response.writeHead(404).end()
    else answer(response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const directory = await mkdtemp(join(tmpdir(), 'pod-log-'))
  const cluster = { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'x' },
    clusters: [{ name: 'x', cluster }],
    users: [{ name: 'x', user: {} }],
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
  }
  await writeFile(join(directory, 'config'), JSON.stringify(config))
  const client = await KubeClient.fromKubeconfig(join(directory, 'config'))
  const heard: string[] = []
  const clock = { now: () => 0, wallClock: () => 0, delay: () => Promise.resolve() }
  const { signal } = new AbortController()
  const given = {
    client,
    clock,
    namespace: 'deis',
    pod: 'p',
    container: 'c',
    hear: (line: string) => void heard.push(line),
  }
  expect(await followLog({ ...given, hasEnded: () => hasEnded, signal })).toBe(true)
  expect(heard).toEqual(['one', 'tw', 'three'].flatMap(line => (line === 'tw' ? ['two'] : [line])))
  expect(asked.slice(0, 2)).toEqual([null, null])
  expect(answers).toEqual([])
  await client.close()
  server.close()
  await rm(directory, { recursive: true })
})
