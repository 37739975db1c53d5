import { describe, expect, test } from 'vitest'
import { UserAgents } from './user-agents.ts'

const ie = (version: string, more = ''): string => `Mozilla/4.0 (compatible; MSIE ${version}; Windows NT 5.1${more})`
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

describe('§4 gzip.disable', () => {
  const rows: readonly (readonly [disable: readonly string[], userAgent: string, want: boolean])[] = [
    [[], firefox, false],
    [['msie6'], '', false],
    [['.*'], '', false],
    [['msie6'], firefox, false],
    [['msie6'], ie('6.0'), true],
    [['msie6'], ie('6.0', '; SV1'), false],
    [['msie6'], ie('5.5'), true],
    [['msie6'], ie('5.5', '; SV1'), true],
    [['msie6'], ie('4.01'), true],
    [['msie6'], ie('7.0'), false],
    [['msie6'], ie('10.6'), false],
    [['msie6'], 'MSIE', false],
    [['msie6'], 'MSIE 6', false],
    [['msie6'], 'curl/8 msie6', false],
    [['firefox/1[0-9]+'], firefox, true],
    [['^gecko'], firefox, false],
    [['^mozilla', 'curl'], 'curl/8.1', true],
    [['nothing', 'MSIE [1-6]\\.(?!.*SV1)', 'firefox'], firefox, true],
    [['msie6', 'wget'], 'Wget/1.21', true],
    [['msie6', 'wget'], ie('6.0'), true],
  ]
  for (const [disable, userAgent, want] of rows) {
    test(`${disable.join(' ')} and "${userAgent}": ${want}`, () => {
      const userAgents = new UserAgents(disable)
      expect(userAgents.has(userAgent)).toBe(want)
      expect(userAgents.has(userAgent), 'from memory').toBe(want)
    })
  }
})

describe('expressions that cannot be used are left out and told', () => {
  const rows: readonly (readonly [expression: string, fault: RegExp])[] = [
    ['(', /^expression "\(" does not compile: /],
    ['a(?=b)', /^expression "a\(\?=b\)" does not compile: /],
    ['(a)\\1', /does not compile/],
    ['a'.repeat(257), /^expression "a{60}…" is longer than 256 characters$/],
    ['(?:a{100}){100}', /does not compile|is too complex/],
    ['a{900}', /^expression "a\{900\}" is too complex$/],
  ]
  for (const [expression, fault] of rows) {
    test(expression.slice(0, 40), () => {
      const userAgents = new UserAgents(['curl', expression, 'wget'])
      expect(userAgents.faults).toEqual([expect.stringMatching(fault)])
      expect(userAgents.has('wget')).toBe(true)
      expect(userAgents.has('aab(')).toBe(false)
    })
  }
  test('no more than sixteen', () => {
    const userAgents = new UserAgents(Array.from({ length: 17 }, (_, i) => `agent-${i}-`))
    expect(userAgents.faults).toEqual(['expression "agent-16-" is left out: there are more than 16'])
    expect(userAgents.has('agent-15-')).toBe(true)
    expect(userAgents.has('agent-16-')).toBe(false)
  })
  test('none of them is wrong', () => expect(new UserAgents(['msie6', 'a.c']).faults).toEqual([]))
})

test('only the beginning of a long text is looked at', () => {
  const userAgents = new UserAgents(['needle'])
  expect(userAgents.has(`${'x'.repeat(500)}needle`)).toBe(true)
  expect(userAgents.has(`${'x'.repeat(510)}needle`)).toBe(false)
})

test('many different user agents push out what was known, and the answers stay right', () => {
  const userAgents = new UserAgents(['curl'])
  for (let i = 0; i < 1000; i++) {
    expect(userAgents.has(`wget/${i}`)).toBe(false)
    expect(userAgents.has(`curl/${i}`)).toBe(true)
  }
})
