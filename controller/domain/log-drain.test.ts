import { expect, test } from 'vitest'
import { valueFault } from './environment-values.ts'
import { logDrainFault } from './log-drain.ts'

const good = [
  'syslog+tls://logs.example.com:6514',
  'syslog+tcp://logs.example.com',
  'syslog+udp://192.0.2.1:514',
  'syslog+tls://[2001:db8::1]:6514/',
  'SYSLOG+TLS://Logs.Example.com:6514',
]
for (const text of good) test(text, () => expect(logDrainFault(text)).toBe(null))

const bad: [text: string, want: RegExp][] = [
  ['', /must be syslog\+tls/],
  ['logs.example.com:6514', /must be syslog\+tls/],
  ['syslog://logs.example.com', /must be syslog\+tls/],
  ['https://logs.example.com', /must be syslog\+tls/],
  ['syslog+tls://', /host of DEIS_LOG_DRAIN|must be syslog\+tls/],
  ['syslog+tls://user:secret@logs.example.com', /no user and no password/],
  ['syslog+tls://logs.example.com/path', /nothing after its port/],
  ['syslog+tls://logs.example.com?x', /nothing after its port/],
  ['syslog+tls://logs.example.com#x', /nothing after its port/],
  ['syslog+tls://logs.example.com:0', /port of DEIS_LOG_DRAIN/],
  ['syslog+tls://logs.example.com:65536', /must be syslog\+tls/],
  ['syslog+tls://logs$example', /host of DEIS_LOG_DRAIN/],
  [`syslog+tls://${'x'.repeat(600)}`, /must be syslog\+tls/],
]
for (const [text, want] of bad) test(`not ${text.slice(0, 60)}`, () => expect(logDrainFault(text)).toMatch(want))

test('no message has the password', () => {
  expect(valueFault('DEIS_LOG_DRAIN', 'syslog+tls://user:secret@logs.example.com')).not.toContain('secret')
  expect(valueFault('LOG_DRAIN', 'anything')).toBe(null)
})
