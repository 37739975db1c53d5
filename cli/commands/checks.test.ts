// Contract of the command line, section 7: what is checked before anything is sent.

import { describe, expect, test } from 'vitest'
import { parseProcfile } from './builds.ts'
import { covers, expiryWarning } from './certificate-checks.ts'
import { expiryText } from './certs.ts'
import { parseEnvironmentFile, parseVariables, variableLines } from './environment-file.ts'
import { parseHeaders } from './healthchecks.ts'
import { parsePublicKey } from './keys.ts'
import { parseLimits } from './limits.ts'
import { colourOf } from './logs.ts'
import { parsePairs } from './pairs.ts'
import { parseTargets, restartPath } from './ps.ts'
import { parseRegistry } from './registry.ts'
import { versionOf } from './releases.ts'

/** What it makes of a word, or the first line of what it says against it. */
function outcome(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return (error as Error).message.split('\n', 1)[0]
  }
}

test.each([
  ['', '/restart/'],
  ['web', '/web/restart/'],
  ['my-app-web-1234567890-abcde', '/web/my-app-web-1234567890-abcde/restart/'],
  ['web-6d4b75cb6d-abcde', '/6d4b75cb6d/web-6d4b75cb6d-abcde/restart/'],
  ['my-app-web-6d4b75cb6d-abcde', '/6d4b75cb6d/my-app-web-6d4b75cb6d-abcde/restart/'],
  ['my-app-my-worker-1234567890-abcde', '/my/my-app-my-worker-1234567890-abcde/restart/'],
  ['my-worker', '/worker/my-worker/restart/'],
])('ps:restart %s', (target, path) => expect(restartPath(target, 'my-app')).toBe(path))

describe('config', () => {
  test.each([
    ['A=b', { A: 'b' }],
    ['a_1=', { a_1: '' }],
    ['A=b=c', { A: 'b=c' }],
    ['A=é\r\nü', { A: 'é\r\nü' }],
    ['#A=b', {}],
    ['__proto__=x', JSON.parse('{"__proto__":"x"}')],
    ['1A=b', "'1A=b' does not match the pattern 'key=var', ex: MODE=test"],
    ['A', "'A' does not match the pattern 'key=var', ex: MODE=test"],
    ['A-B=c', "'A-B=c' does not match the pattern 'key=var', ex: MODE=test"],
  ])('%j', (word, values) => expect(plain(outcome(() => parseVariables([word])))).toEqual(values))

  test('a byte order mark is no part of the first name', () =>
    expect(plain(parseEnvironmentFile('\ufeffA=b\n'))).toEqual({ A: 'b' }))

  test('lines of a file, as Windows writes it too', () =>
    expect(plain(parseEnvironmentFile('# x\r\nA=b\r\n\r\nC=d\n'))).toEqual({ A: 'b', C: 'd' }))

  // A value of two lines came back as two variables, or not at all.
  test.each([
    ['two lines, the second like a variable', 'one\nB=two', 'export A="one\\nB=two"'],
    ['a line end alone', '\n', 'export A="\\n"'],
    ['line ends of Windows, quotes, backslashes', 'C:\\new "x"\r\n\\n', 'export A="C:\\\\new \\"x\\"\\r\\n\\\\n"'],
    ['a carriage return at the end', 'x\r', 'export A="x\\r"'],
    ['a carriage return inside', 'x\ry', 'A=x\ry'],
    ['quotes, which the contract leaves', '"x\\ny"', 'A="x\\ny"'],
    ['one quote', "'", "A='"],
    ['spaces around', ' x ', 'A= x '],
    ['nothing', '', 'A='],
    ['what looks like a comment', '#x', 'A=#x'],
    ['what looks like an exported one', 'export A="x"', 'A=export A="x"'],
  ])('pulled and pushed: %s', (_what, value, line) => {
    expect(variableLines({ A: value })).toEqual([line])
    expect(plain(parseEnvironmentFile(`${line}\n`))).toEqual({ A: value })
  })

  test.each(['export A=b', 'export A="b', 'export A="\\t"', 'export A="b" # c'])('as ever no variable: %s', line =>
    expect(outcome(() => parseEnvironmentFile(line))).toMatch(/ does not match the pattern 'key=var'/),
  )
})

test.each([
  ['web=2G', { web: '2G' }],
  ['my-worker=500MB', { 'my-worker': '500MB' }],
  ['db=1G/2G', { db: '1G/2G' }],
  ['web=500m', { web: '500m' }],
  ['web=0.5/1.5', { web: '0.5/1.5' }],
  ['web=250m/500m', { web: '250m/500m' }],
  ['web=', "web= doesn't fit format type=#unit or type=# or type=#/#"],
  ['web=2X', "web=2X doesn't fit format type=#unit or type=# or type=#/#"],
  ['Web=2G', "Web=2G doesn't fit format type=#unit or type=# or type=#/#"],
  ['web=123456', "web=123456 doesn't fit format type=#unit or type=# or type=#/#"],
])('limits %s', (word, limits) => expect(plain(outcome(() => parseLimits([word])))).toEqual(limits))

test.each([
  ['web=2', { web: 2 }],
  ['my-worker=0', { 'my-worker': 0 }],
  ['web', "'web' does not match the pattern 'type=num', ex: web=2"],
  ['web=-1', "'web=-1' does not match the pattern 'type=num', ex: web=2"],
  ['web=a', "'web=a' does not match the pattern 'type=num', ex: web=2"],
  ['WEB=1', "'WEB=1' does not match the pattern 'type=num', ex: web=2"],
])('scale %s', (word, targets) => expect(outcome(() => parseTargets([word]))).toEqual(targets))

test.each([
  ['a=b', { a: 'b' }],
  ['only_key', 'only_key is invalid, Must be in format key=value'],
  ['a=b=c', 'a=b=c is invalid, Must be in format key=value'],
  ['a=', 'a= is invalid, Must be in format key=value'],
  ['=b', '=b is invalid, Must be in format key=value'],
])('labels and tags %s', (word, pairs) => expect(plain(outcome(() => parsePairs([word], 'x=y')))).toEqual(pairs))

test.each([
  ['username=bob', { username: 'bob' }],
  ['password=a=b', { password: 'a=b' }],
  ['password=', 'password= is invalid. Must be in format key=value'],
  ['hostname=x', 'hostname is invalid. Valid keys are "username" or "password"'],
])('registry %s', (word, pairs) => expect(plain(outcome(() => parseRegistry([word])))).toEqual(pairs))

test.each([
  ['ssh-rsa AAAA me@home\n', 'me@home'],
  ['ssh-ed25519 AAAA', 'id_rsa'],
  ['ecdsa-sha2-nistp256 AAAA two words', 'two words'],
  ['sk-ssh-ed25519@openssh.com AAAA x', null],
  ['-----BEGIN OPENSSH PRIVATE KEY-----', null],
])('public key %j', (text, id) => {
  const key = parsePublicKey(text, 'id_rsa.old.pub')
  expect(key).toEqual(id === null ? null : { id, public: text })
})

test.each([
  [null, []],
  ['A:b', [{ name: 'A', value: 'b' }]],
  [
    'A: b,C:d:e',
    [
      { name: 'A', value: 'b' },
      { name: 'C', value: 'd:e' },
    ],
  ],
  ['A', 'could not parse headers: could not find separator in header (A)'],
])('headers %s', (text, headers) => expect(outcome(() => parseHeaders(text))).toEqual(headers))

test.each([
  ['v3', 3],
  ['3', 3],
  ['three', '"three" is not a version; it looks like v3'],
])('version %s', (text, version) => expect(outcome(() => versionOf(text))).toBe(version))

describe('Procfile', () => {
  test.each([
    ['', {}],
    ['web: node server.js\nworker: "a: b"\n', { web: 'node server.js', worker: 'a: b' }],
    ['{web: x}', { web: 'x' }],
    ['web: 5', { web: '5' }],
  ])('%j', async (text, types) => expect(plain(await parseProcfile(text))).toEqual(types))

  test.each([
    ['- a', 'The Procfile must be lines of the form <type>: <command>'],
    ['web:\n  - a', 'The Procfile has no command for web, but a list or mapping'],
    ['web: {', 'The Procfile is not valid YAML: '],
  ])('%j is refused', async (text, message) => {
    await expect(parseProcfile(text)).rejects.toThrow(message)
  })
})

describe('certificates', () => {
  const now = Date.parse('2016-06-09T00:00:00Z')
  test.each([
    ['2014-11-10T00:00:00Z', '10 Nov 2014 (expired)'],
    ['2016-08-01T00:00:00Z', '1 Aug 2016 (in 2 months)'],
    ['2016-06-11T00:00:00Z', '11 Jun 2016 (in 2 days)'],
    ['2016-06-09T05:00:00Z', '9 Jun 2016 (in 1 day)'],
    ['2018-01-01T00:00:00Z', '1 Jan 2018 (in 2 years)'],
    ['2017-06-09T00:00:00Z', '9 Jun 2017 (in 1 year)'],
    [null, 'unknown'],
  ])('%s', (expires, text) => expect(expiryText(expires, now)).toBe(text))

  test.each([
    ['2016-06-11T00:00:00Z', null, 'the certificate a expires on 11 Jun 2016, in 2 days.'],
    ['2016-06-01T00:00:00Z', null, 'the certificate a expired on 1 Jun 2016.'],
    ['2017-06-11T00:00:00Z', null, null],
    ['2017-06-11T00:00:00Z', '2016-07-01T00:00:00Z', 'the certificate a is not valid before 1 Jul 2016.'],
    [null, null, null],
  ])('expires %s, starts %s', (expires, starts, text) =>
    expect(expiryWarning({ name: 'a', expires, starts }, now)).toBe(text),
  )

  test.each([
    [['www.example.com'], 'WWW.example.com', true],
    [['*.example.com'], 'www.example.com', true],
    [['*.example.com'], 'a.www.example.com', false],
    [['*.example.com'], '*.example.com', true],
    [['example.com'], 'www.example.com', false],
    [['example.com'], 'shop', true],
  ])('%j covers %s: %s', (san, domain, fits) => expect(covers({ san, common_name: null }, domain)).toBe(fits))
})

test('who speaks in a log has a colour', () => {
  const time = '2016-10-18T20:29:38+00:00'
  expect(colourOf(`${time} deis[controller]: INFO x`)).toBe('magenta')
  expect(colourOf(`${time} shop[web.v2.abc]: one`)).toBe(colourOf(`${time} shop[web.v2.abc]: two`))
})

/** Without its prototype's difference. */
function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? JSON.parse(JSON.stringify(value)) : value
}
