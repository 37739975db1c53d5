import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LogPart, logFormatFaults, logVariables, parseLogFormat, standardLogFormat } from './log-variables.ts'

const text = (text: string): LogPart => ({ kind: 'text', text })
const variable = (name: (typeof logVariables)[number]): LogPart => ({ kind: 'variable', name })
const unknown: LogPart = { kind: 'unknown' }

describe('§4 logFormat: what a format says', () => {
  const rows: [name: string, format: string, parts: readonly LogPart[]][] = [
    ['a variable', '$status', [variable('status')]],
    ['text around variables', 'a $status b$uri', [text('a '), variable('status'), text(' b'), variable('uri')]],
    ['braces, where a name would go on', `\${status}ms`, [variable('status'), text('ms')]],
    ['capital letters', '$Status', [variable('status')]],
    ['a field of the request', '$http_x_my_id', [{ kind: 'request-field', name: 'x-my-id' }]],
    ['Content-Type of the request', '$content_type', [{ kind: 'request-field', name: 'content-type' }]],
    ['Content-Length of the request', '$content_length', [{ kind: 'request-field', name: 'content-length' }]],
    ["a field of the app's answer", '$upstream_http_etag', [{ kind: 'answer-field', name: 'etag' }]],
    ['a field that crosses', '$sent_http_content_type', [{ kind: 'answer-field', name: 'content-type' }]],
    ['$http2 is no field', '$http2', [variable('http2')]],
    ['$https is no field', '$https', [variable('https')]],
    ['blanks around all of it', '  $status\n', [variable('status')]],
    ['line ends within', '$status\r\n  $uri', [variable('status'), text('   '), variable('uri')]],
    ['tabs', '$status\t$uri', [variable('status'), text('\t'), variable('uri')]],
    ['other characters', '→ $status', [text('→ '), variable('status')]],
    ['quotes', `'$status' "$uri"`, [text(`'`), variable('status'), text(`' "`), variable('uri'), text(`"`)]],
    ['escape=default before it', 'escape=default $status', [variable('status')]],
    [
      'quoted strings behind the option',
      `escape=json '{"a":$status,' '"b":1}'`,
      [text('{"a":'), variable('status'), text(',"b":1}')],
    ],
  ]
  for (const [name, format, parts] of rows)
    test(name, () => {
      expect(parseLogFormat(format).parts).toEqual(parts)
      expect(logFormatFaults(format)).toEqual([])
    })
})

describe('§4 logFormat: escape', () => {
  const rows: [format: string, escaping: string, faults: number][] = [
    ['$status', 'default', 0],
    ['escape=default $status', 'default', 0],
    ['escape=json $status', 'json', 0],
    ['escape=none $status', 'default', 1],
    ['escape=xml $status', 'default', 1],
    ['escape= $status', 'default', 1],
    ['an escape=json $status', 'default', 0],
  ]
  for (const [format, escaping, faults] of rows)
    test(format, () => {
      expect(parseLogFormat(format)).toMatchObject({ escaping })
      expect(logFormatFaults(format)).toHaveLength(faults)
    })
})

describe('§16 logFormat: what is wrong with a format', () => {
  const rows: [format: string, faults: readonly RegExp[], parts: readonly LogPart[]][] = [
    ['$status $nonsense', [/^\$nonsense is not known and is logged as "-"$/], [variable('status'), text(' '), unknown]],
    ['$nonsense $nonsense', [/^\$nonsense /], [unknown, text(' '), unknown]],
    ['$sent_http_server $status', [/^\$sent_http_server is not known/], [unknown, text(' '), variable('status')]],
    ['$http_ $status', [/^\$http_ is not known/], [unknown, text(' '), variable('status')]],
    ['$http_authorization', [/^\$http_authorization may hold a secret/], [unknown]],
    ['$http_proxy_authorization', [/may hold a secret/], [unknown]],
    ['$http_cookie', [/may hold a secret/], [unknown]],
    ['$upstream_http_set_cookie', [/may hold a secret/], [unknown]],
    ['5 $ $status', [/"\$" without the name/], [text('5 '), text('$'), text(' '), variable('status')]],
    ['${status $status', [/"\$" without the name/], [text('$'), text('{status '), variable('status')]],
    ['', [/has no variable; the standard format holds/], []],
    ['hello', [/has no variable; the standard format holds/], []],
    [`$status${'x'.repeat(4096)}`, [/longer than 4096 octets; the standard format holds/], []],
    ['$status '.repeat(129), [/more than 128 variables; the standard format holds/], []],
  ]
  for (const [format, faults, parts] of rows)
    test(JSON.stringify(format.slice(0, 40)), () => {
      const found = logFormatFaults(format)
      expect(found).toHaveLength(faults.length)
      for (const [index, fault] of faults.entries()) expect(found[index]).toMatch(fault)
      expect(parseLogFormat(format).parts).toEqual(parts)
    })
})

test('the standard format has the fourteen parts of §14 and no fault', () => {
  expect(standardLogFormat.split(' - ')).toHaveLength(14)
  expect(logFormatFaults(standardLogFormat)).toEqual([])
})

test('every name there is parses to itself', () => {
  for (const name of logVariables) expect(parseLogFormat(`$${name}`).parts).toEqual([variable(name)])
  expect(logFormatFaults(logVariables.map(name => `$${name}`).join(' '))).toEqual([])
})

test('docs/access-log.md tells of every name', async () => {
  const document = await readFile(new URL('../../docs/access-log.md', import.meta.url), 'utf8')
  const rows = document.split('\n').filter(line => line.startsWith('| `$'))
  const named = rows.flatMap(row => row.split('|')[1]!.match(/[a-z_0-9]+(?=`)/g) ?? [])
  expect(named.filter(name => logFormatFaults(`$${name}`).length > 0)).toEqual([])
  expect(logVariables.filter(name => !named.includes(name))).toEqual([])
})

test('whatever the text: bounded parts and faults, and no text that would break a line', () => {
  const unit = fc.constantFrom(...'$${}ab_ \n\r\t\x00\x7f\u2028"\'=', 'escape=', 'http_', 'status', 'json')
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 300 }), format => {
      const { parts, faults } = parseLogFormat(format)
      expect(faults.length).toBeLessThanOrEqual(16)
      for (const fault of faults) expect(fault.length).toBeLessThan(200)
      for (const part of parts) if (part.kind === 'text') expect(part.text).not.toMatch(/[\n\r\u2028\u2029\u0085]/)
    }),
    { seed: 9112, numRuns: 1000 },
  )
})
