// Whatever comes, the parser does not throw, stays within its octets, and does not care how they were cut.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Body } from './body.ts'
import { RequestHead } from './request-head.ts'
import {
  payloadOf,
  requestStream,
  seed,
  settings,
  validRequest,
  writeHead,
  writeRequest,
} from './testdata/arbitrary-request.ts'
import { readRequest, usualLimits, wellPlaced } from './testdata/request-summary.ts'

const cuts = fc.uniqueArray(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 6 })

function cutsOf(shares: readonly number[], length: number): number[] {
  const positions = shares.map(share => 1 + Math.floor(share * (length - 1)))
  return [...new Set(positions)].filter(at => at > 0 && at < length).sort((a, b) => a - b)
}

test(`a valid request is taken as it was meant (seed ${seed})`, () => {
  fc.assert(
    fc.property(validRequest, request => {
      const octets = Buffer.from(writeRequest(request), 'latin1')
      const summary = readRequest(octets)
      if (summary.kind !== 'head') throw new Error(JSON.stringify(summary))
      const { method, target, body } = request
      expect(summary.length).toBe(writeHead(request).length)
      expect(wellPlaced(summary, octets)).toBe(true)
      expect([summary.method?.[2], summary.target?.[2]]).toEqual([method, target])
      expect(summary.chunked).toBe(body.kind === 'chunked')
      expect(summary.contentLength).toBe(body.kind === 'length' ? body.data.length : -1)
      const framing = body.kind === 'none' ? 0 : 1
      expect(
        summary.fields
          .slice(0, summary.fields.length - framing)
          .map(([, name, value]) => [name?.[2], value?.[2] ?? '']),
      ).toEqual(request.fields)
      const reader = new Body()
      if (body.kind === 'chunked') reader.start('chunked')
      else if (body.kind === 'length') reader.length(body.data.length)
      const payload = Buffer.alloc(octets.length)
      if (body.kind === 'chunked') {
        expect(reader.unchunk(octets, summary.length, octets.length, payload, 0)).toBe(octets.length)
        expect(payload.toString('latin1', 0, reader.chunked.payload)).toBe(payloadOf(body))
      } else expect(reader.read(octets, summary.length, octets.length)).toBe(octets.length)
      expect(reader.done).toBe(true)
    }),
    settings(2000),
  )
})

test(`tampered requests: the same verdict however they are cut, and every position inside (seed ${seed})`, () => {
  fc.assert(
    fc.property(requestStream, cuts, (text, shares) => {
      const octets = Buffer.from(text, 'latin1')
      const whole = readRequest(octets)
      expect(readRequest(octets, cutsOf(shares, octets.length))).toEqual(whole)
      if (whole.kind === 'head') expect(wellPlaced(whole, octets)).toBe(true)
    }),
    settings(6000),
  )
})

test(`small limits: the same verdict however octets are cut (seed ${seed})`, () => {
  fc.assert(
    fc.property(
      requestStream,
      cuts,
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 200 }),
      (text, shares, line, head) => {
        const octets = Buffer.from(text, 'latin1')
        const limits = { line, head }
        const whole = readRequest(octets, [], limits)
        expect(readRequest(octets, cutsOf(shares, octets.length), limits)).toEqual(whole)
        if (whole.kind === 'head') expect(whole.length).toBeLessThanOrEqual(head)
      },
    ),
    settings(6000),
  )
})

test(`octets of any kind: no exception and no position outside (seed ${seed})`, () => {
  const alphabet = fc.constantFrom(...'GET /:a1\r\n\r\n\t ;=,"\\\x00\x7f\xff')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: alphabet }),
        fc.string({ unit: alphabet }).map(tail => `GET / HTTP/1.1\r\n${tail}`),
      ),
      text => {
        const octets = Buffer.from(text, 'latin1')
        const head = new RequestHead()
        head.reset()
        const after = head.parse(octets, 0, octets.length, usualLimits)
        expect(after).toBeLessThanOrEqual(octets.length)
        if (after === 0) expect(head.resume).toBeLessThanOrEqual(octets.length)
      },
    ),
    settings(5000),
  )
})
