import { expect, test } from 'vitest'
import { kubeErrorOfResponse, kubeErrorOfStatus } from './errors.ts'

const now = Date.UTC(2026, 0, 1)
const status = { kind: 'Status', code: 503, reason: 'ServiceUnavailable', message: 'busy' }

const responses: [name: string, retryAfter: string | null, body: string, want: object][] = [
  ['a Status', null, JSON.stringify(status), { reason: 'ServiceUnavailable', message: 'busy', retryAfter: null }],
  ['a page of a proxy', null, '<html>token</html>', { reason: '', message: 'the server answered 503' }],
  ['JSON of something else', null, '{"message":"token"}', { reason: '', message: 'the server answered 503' }],
  ['nothing', null, '', { message: 'the server answered 503' }],
  ['a wait in seconds', '3', '', { retryAfter: 3000 }],
  ['a wait until a date', 'Thu, 01 Jan 2026 00:00:05 GMT', '', { retryAfter: 5000 }],
  ['a date that has gone by', 'Thu, 01 Jan 1970 00:00:00 GMT', '', { retryAfter: 0 }],
  ['a wait that is no time', 'soon', '', { retryAfter: null }],
  [
    'a wait in the Status',
    null,
    JSON.stringify({ ...status, details: { retryAfterSeconds: 2 } }),
    { retryAfter: 2000 },
  ],
]
for (const [name, retryAfter, body, want] of responses) {
  test(`a response with ${name}`, () => {
    expect(kubeErrorOfResponse(503, retryAfter, body, () => now)).toMatchObject({ status: 503, ...want })
  })
}

const events: [name: string, object: unknown, want: object][] = [
  ['a Status', { ...status, code: 410, reason: 'Expired' }, { status: 410, reason: 'Expired', message: 'busy' }],
  ['a Status without a code', { kind: 'Status' }, { status: 500, reason: '', message: 'the watch failed' }],
  ['no object', null, { status: 500 }],
]
for (const [name, object, want] of events) {
  test(`an ERROR event with ${name}`, () => expect(kubeErrorOfStatus(object)).toMatchObject(want))
}
