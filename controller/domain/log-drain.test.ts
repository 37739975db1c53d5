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
  ['', /^DEIS_LOG_DRAIN: a log drain is syslog\+tls/],
  ['logs.example.com:6514', /^DEIS_LOG_DRAIN: a log drain is syslog\+tls/],
  ['syslog://logs.example.com', /^DEIS_LOG_DRAIN: a log drain is syslog\+tls/],
  ['https://logs.example.com', /^DEIS_LOG_DRAIN: a log drain is syslog\+tls/],
  ['syslog+tls://', /host of a log drain|a log drain is/],
  ['syslog+tls://user:secret@logs.example.com', /no users and passwords/],
  ['syslog+tls://logs.example.com/path', /nothing may follow the port/],
  ['syslog+tls://logs.example.com?x', /nothing may follow the port/],
  ['syslog+tls://logs.example.com#x', /nothing may follow the port/],
  ['syslog+tls://logs.example.com:0', /port of a log drain/],
  ['syslog+tls://logs.example.com:65536', /^DEIS_LOG_DRAIN: a log drain is syslog\+tls/],
  ['syslog+tls://logs$example', /host of a log drain/],
  [`syslog+tls://${'x'.repeat(600)}`, /^DEIS_LOG_DRAIN: a log drain is syslog\+tls/],
]
for (const [text, want] of bad) test(`not ${text.slice(0, 60)}`, () => expect(logDrainFault(text)).toMatch(want))

test('no message has the password', () => {
  expect(valueFault('DEIS_LOG_DRAIN', 'syslog+tls://user:secret@logs.example.com')).not.toContain('secret')
  expect(valueFault('LOG_DRAIN', 'anything')).toBe(null)
})
