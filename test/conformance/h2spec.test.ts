// Every case of h2spec, over TLS and in clear text, as a test of its own.

import type { RequestListener } from 'node:http'
import { describe, expect, test } from 'vitest'
import { connectTo } from '#test/support/peer.ts'
import { Site } from '#test/support/site.ts'
import { h2spec, type Outcome } from './h2spec.ts'

/** In 2.6.0, strict cases included. Fewer: the run was cut short. */
const count = 147

const settings = { http2Cleartext: 'true' }

/** Long enough for cases about flow control, and it takes whole bodies. */
const answer: RequestListener = (request, response) => {
  request.resume().on('end', () => response.end('an answer for h2spec'))
}

/**
 * Cases that a port cannot pass which speaks HTTP/1.1 too: what is no preface of HTTP/2 is a request of HTTP/1.1, and is
 * answered in its terms before the connection is closed.
 */
const onlyWithoutHttp1 = new Set(['http2/3.5. HTTP/2 Connection Preface: Sends invalid connection preface'])

// Cases become tests, so they are run before there is any.
for (const transport of ['tls', 'cleartext'] as const) {
  const outcomes = await runAll(transport)
  describe(`h2spec, ${transport}`, () => {
    test('all cases were run', () => expect(outcomes).toHaveLength(count))
    for (const { section, name, failure } of outcomes) {
      const title = `${section}: ${name}`
      if (transport === 'cleartext' && onlyWithoutHttp1.has(title)) continue
      test(title, () => {
        if (failure !== null) expect.fail(failure)
      })
    }
  })
}

test('cleartext: what is no preface is answered 400 and the connection closed', async () => {
  await using site = await Site.start({ answer, settings })
  await using peer = await connectTo(site.ports.http)
  await peer.send('INVALID CONNECTION PREFACE\r\n\r\n')
  expect((await peer.response()).status).toBe(400)
  expect(await peer.ended()).toBe('end')
})

async function runAll(transport: 'tls' | 'cleartext'): Promise<Outcome[]> {
  await using site = await Site.start({ answer, settings })
  return await h2spec(transport === 'tls' ? site.ports.https : site.ports.http, transport)
}
