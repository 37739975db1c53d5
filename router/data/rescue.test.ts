import { describe, expect, test } from 'vitest'
import type { FailureCode } from '../model/counters.ts'
import { errorAnswer, healthy } from './answer.ts'
import { errorPage, reasonOf, rescue } from './rescue.ts'

const rows: readonly (readonly [code: FailureCode, status: number, close: boolean, retryAfter?: number])[] = [
  // §13 and §9 step 1: the boundaries of what follows are in doubt.
  ['bad-request', 400, true],
  ['uri-too-long', 414, true],
  ['header-too-large', 431, true],
  ['body-too-large', 413, true],
  ['method-not-allowed', 405, true],
  ['version-not-supported', 505, true],
  ['request-timeout', 408, true],
  // §9: the request was understood, and the next one can be.
  ['no-endpoint', 503, false],
  ['queue-full', 503, false, 1],
  ['queue-timeout', 503, false, 1],
  ['connect-failed', 502, false],
  ['connect-timeout', 504, false],
  ['upstream-closed', 502, false],
  ['upstream-invalid', 502, false],
  ['upstream-timeout', 504, false],
]

describe('§9 what a failure is answered with', () => {
  for (const [code, status, close, retryAfter = 0] of rows) {
    test(code, () => {
      expect(rescue(code)).toEqual({ status, close, retryAfter })
      expect(reasonOf(status)).not.toBe('Unknown')
    })
  }
})

test('§13 an error page is short HTML with status and reason', () => {
  const page = errorPage(502)
  expect(page).toMatch(/^<!DOCTYPE html>\n/)
  expect(page).toContain('<title>502 Bad Gateway</title>')
  expect(Buffer.byteLength(page)).toBe(page.length)
  expect(errorAnswer(502, true)).toMatchObject({
    status: 502,
    body: page,
    contentType: 'text/html',
    location: '',
    requestIds: true,
  })
})

test('§9 /healthz is 200, text/plain and empty', () => {
  expect(healthy).toMatchObject({ status: 200, contentType: 'text/plain', body: '', location: '', requestIds: false })
})

test('a status that we never answer with has a reason, too', () => expect(reasonOf(299)).toBe('Unknown'))
