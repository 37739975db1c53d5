import { expect, test } from 'vitest'
import { proxyOf } from './proxy.ts'

const rows: readonly [what: string, url: string, env: Record<string, string>, proxy: string | null][] = [
  ['none', 'http://deis.example.com', {}, null],
  ['by scheme', 'http://deis.example.com', { http_proxy: 'http://proxy:3128' }, 'http://proxy:3128/'],
  ['the other scheme', 'https://deis.example.com', { http_proxy: 'http://proxy:3128' }, null],
  ['capitals win', 'https://deis.example.com', { https_proxy: 'http://a:1', HTTPS_PROXY: 'http://b:2' }, 'http://b:2/'],
  ['no scheme', 'http://deis.example.com', { http_proxy: 'proxy:3128' }, 'http://proxy:3128/'],
  ['this machine', 'http://127.0.0.1', { http_proxy: 'http://proxy:1' }, null],
  ['names under localhost', 'http://deis.localhost', { http_proxy: 'http://proxy:1' }, null],
  ['all excepted', 'http://deis.example.com', { http_proxy: 'http://proxy:1', no_proxy: '*' }, null],
  ['its name', 'http://deis.example.com', { http_proxy: 'http://proxy:1', no_proxy: 'a.b, deis.example.com' }, null],
  ['its domain', 'http://deis.example.com', { http_proxy: 'http://proxy:1', NO_PROXY: 'example.com' }, null],
  [
    'what is below',
    'http://example.com',
    { http_proxy: 'http://proxy:1', no_proxy: '.example.com' },
    'http://proxy:1/',
  ],
  [
    'another port',
    'http://deis.example.com',
    { http_proxy: 'http://proxy:1', no_proxy: 'example.com:81' },
    'http://proxy:1/',
  ],
  ['its network', 'http://10.1.2.3', { http_proxy: 'http://proxy:1', no_proxy: 'x, 10.0.0.0/8' }, null],
  ['its network of IPv6', 'http://[fd00::1]', { http_proxy: 'http://proxy:1', no_proxy: 'fd00::/8' }, null],
  ['another network', 'http://10.1.2.3', { http_proxy: 'http://proxy:1', no_proxy: '10.1.2.4/31' }, 'http://proxy:1/'],
  ['no network', 'http://10.1.2.3', { http_proxy: 'http://proxy:1', no_proxy: '10.1.2.3/,/8' }, 'http://proxy:1/'],
  [
    'a longer name',
    'http://myexample.com',
    { http_proxy: 'http://proxy:1', no_proxy: 'example.com' },
    'http://proxy:1/',
  ],
]
test.each(rows)('%s', (_what, text, env, proxy) => {
  const { protocol, hostname } = new URL(text)
  const scheme = protocol === 'http:' ? 'http' : 'https'
  expect(proxyOf({ scheme, hostname: hostname.replace(/[[\]]/g, ''), port: 80 }, env)?.href ?? null).toBe(proxy)
})

test('what is no proxy is a fault', () => {
  expect(() => proxyOf({ scheme: 'http', hostname: 'a.example', port: 80 }, { http_proxy: 'socks5://x:1' })).toThrow(
    'http_proxy is not the URL of an HTTP proxy',
  )
})
