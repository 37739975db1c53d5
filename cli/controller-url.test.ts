import { expect, test } from 'vitest'
import { appHostOf, builderHostOf, parseControllerUrl } from './controller-url.ts'

const good: readonly [text: string, href: string, builder: string, app: string, path: string][] = [
  ['deis.example.com', 'http://deis.example.com', 'deis-builder.example.com', 'shop.example.com', ''],
  ['http://Deis.Example.COM', 'http://deis.example.com', 'deis-builder.example.com', 'shop.example.com', ''],
  [
    'https://deis.example.com:8443',
    'https://deis.example.com:8443',
    'deis-builder.example.com',
    'shop.example.com:8443',
    '',
  ],
  ['http://deis.example.com/', 'http://deis.example.com/', 'deis-builder.example.com', 'shop.example.com', ''],
  [
    'http://deis.example.com/api',
    'http://deis.example.com/api',
    'deis-builder.example.com',
    'shop.example.com',
    '/api',
  ],
  ['http://127.0.0.1:8000', 'http://127.0.0.1:8000', '127-builder.0.0.1', 'shop.0.0.1:8000', ''],
  ['deis.localhost:8080', 'http://deis.localhost:8080', 'deis-builder.localhost', 'shop.localhost:8080', ''],
  ['localhost:8000', 'http://localhost:8000', 'localhost-builder', 'shop', ''],
]
test.each(good)('%s', (text, href, builder, app, path) => {
  const url = parseControllerUrl(text)
  expect([url.href, builderHostOf(url), appHostOf(url, 'shop'), url.path]).toEqual([href, builder, app, path])
  expect(appHostOf(url, 'www.example.org')).toBe('www.example.org')
})

test('IPv6', () => {
  expect(parseControllerUrl('http://[::1]:8000')).toMatchObject({ hostname: '::1', host: '[::1]:8000', port: 8000 })
})

const bad = [
  '',
  'deis',
  'http://deis',
  'http://de_is.example.com',
  'deis.example.c',
  'ftp://deis.example.com',
  'http://deis.example.com:99999',
  'http://a@deis.example.com',
  'http://deis.example.com/?x',
  'http://-a.example.com',
]
test.each(bad)('%j is refused', text => {
  expect(() => parseControllerUrl(text)).toThrow('is not the URL of a controller')
})
