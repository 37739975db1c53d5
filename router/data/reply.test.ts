// What only a socket that takes octets in steps shows, told step by step; answers over real sockets are in
// compression.test.ts, bodies.test.ts and others.

import { expect, test } from 'vitest'
import { defaultSettings } from '#test/support/data-thread.ts'
import { createCounters } from '../model/counters.ts'
import { PreferenceMemo } from './coding/preferences.ts'
import { compileCoding } from './coding/rules.ts'
import type { ThreadContext } from './context.ts'
import type { Client } from './http/client.ts'
import { RequestHead } from './http/request-head.ts'
import { Slab } from './http/slab.ts'
import { Reply, type ReplyOwner } from './reply.ts'
import type { CompiledRoute } from './table/route-table.ts'

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('octets that the encoder had held, sent while the client is full, do not lose the wake-up of its drain', async () => {
  const slab = new Slab()
  const readBuffer = Buffer.alloc(128 * 1024)
  const context = {
    counters: new Float64Array(createCounters()),
    slab,
    clock: { serverAndDate: Buffer.from('Server: x\r\n') },
    draining: false,
    coding: compileCoding(defaultSettings()),
    readBuffer,
  } as unknown as ThreadContext
  const taken = { waiting: 0 }
  const client = {
    context,
    get waiting() {
      return taken.waiting
    },
    send(from: number): boolean {
      taken.waiting += slab.at - from
      return taken.waiting < 16_384
    },
  } as unknown as Client
  const head = new RequestHead()
  const request = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
  head.parse(request, 0, request.length, { line: 8192, head: 65_536 })
  let woken = 0
  const owner: ReplyOwner = {
    head,
    requestDone: true,
    keepAlive: true,
    status: 0,
    bytesSent: 0,
    headBytesSent: 0,
    clientAddress: '127.0.0.1',
    requestIdLines: '',
    addedLines: () => '',
    onReplyHead() {},
    onReplyUpgrade() {},
    onReplyReady: () => void woken++,
    onReplyDone() {},
    onReplyInvalid() {},
  }
  const reply = new Reply(owner)
  reply.begin(client)
  reply.preferences.remember(head, request, new PreferenceMemo())
  reply.expect({ readAhead: 64 * 1024, headLimit: 65_536 } as CompiledRoute)
  const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000000\r\n\r\n')
  answer.copy(readBuffer)
  reply.read(readBuffer, answer.length)
  // Reads that fill their buffer: the encoder holds octets back in the hope of more.
  let state = 1
  while (!reply.waitsForClient) {
    for (let i = 0; i < readBuffer.length; i++) {
      state = (state * 48_271) % 2_147_483_647
      readBuffer[i] = state
    }
    reply.read(readBuffer, readBuffer.length)
  }
  // The kernel takes some: less waits than may be read ahead, but there has been no drain. Then what was held goes out.
  taken.waiting = 1_000
  for (let i = 0; i < 5; i++) await turn()
  woken = 0
  taken.waiting = 0
  reply.onClientDrain()
  expect([woken, reply.blocked]).toEqual([1, false])
})
