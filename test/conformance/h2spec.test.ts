// Every case of h2spec, over TLS and in clear text, as a test of its own.

import type { RequestListener } from 'node:http'
import { describe, expect, test } from 'vitest'
import { Site } from '#test/support/site.ts'
import { h2spec, type Outcome } from './h2spec.ts'

/** In 2.6.0, strict cases included. Fewer: the run was cut short. */
const count = 147

/** Long enough for cases about flow control, and it takes whole bodies. */
const answer: RequestListener = (request, response) => {
  request.resume().on('end', () => response.end('an answer for h2spec'))
}

// Cases become tests, so they are run before there is any.
for (const transport of ['tls', 'cleartext'] as const) {
  const outcomes = await runAll(transport)
  describe(`h2spec, ${transport}`, () => {
    test('all cases were run', () => expect(outcomes).toHaveLength(count))
    for (const { section, name, failure } of outcomes)
      test(`${section}: ${name}`, () => {
        if (failure !== null) expect.fail(failure)
      })
  })
}

async function runAll(transport: 'tls' | 'cleartext'): Promise<Outcome[]> {
  await using site = await Site.start({ answer, settings: { http2Cleartext: 'true' } })
  return h2spec(transport === 'tls' ? site.ports.https : site.ports.http, transport)
}
