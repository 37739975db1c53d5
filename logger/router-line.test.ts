import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseRouterLine } from './router-line.ts'

// docs/access-log.md.
const sample =
  '[2016-05-31T16:56:12+02:00] - shop/web - 192.0.2.1 - - - 200 - "GET /x HTTP/1.1" - 1234 - "http://r/" - "curl/8" - "shop.example.com" - 10.0.0.1:5000 - shop.example.com - 0.012 - 0.013'

test('the sample of the documentation', () => {
  expect(parseRouterLine(sample)).toEqual({
    ...{ app: 'shop/web', status: 200, octets: 1234, endpointSeconds: 0.012, seconds: 0.013 },
    time: Date.parse('2016-05-31T14:56:12Z'),
  })
})

test('an app of the name of its namespace; no endpoint', () => {
  const line = sample.replace('shop/web', 'shop').replace('0.012', '-')
  expect(parseRouterLine(line)).toMatchObject({ app: 'shop', endpointSeconds: null })
})

const others: [name: string, line: string][] = [
  ['nothing', ''],
  ['another text', 'hello'],
  ['a part less', sample.replace(' - 0.013', '')],
  ['a part more', `${sample} - x`],
  ['no app', sample.replace('shop/web', '')],
  ['an app that is none', sample.replace('shop/web', 'a b')],
  ['no status', sample.replace('200', '-')],
  ['a time that is none', sample.replace('05-31', '13-31')],
  ['seconds that are none', sample.replace('0.013', '1e9')],
  ['another format', '{"app":"shop","status":200}'],
]
test.for(others)('none: %s', ([, line]) => {
  expect(parseRouterLine(line)).toBe(null)
})

test('whatever comes, it does not throw', () => {
  const part = fc.oneof(fc.constantFrom(...sample.split(' - ')), fc.string({ maxLength: 10 }))
  fc.assert(fc.property(fc.array(part, { maxLength: 20 }), parts => void parseRouterLine(parts.join(' - '))))
})
