// What parsing a request head costs: the shortest that a client may send, and one as a browser sends it; whole, and in
// two pieces as when it spans two reads.

import { RequestHead } from '#router/data/http/request-head.ts'
import { report } from './rounds.ts'

const limits = { line: 32 * 1024, head: 128 * 1024 }

const short = Buffer.from('GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n', 'latin1')

const browser = Buffer.from(
  [
    'GET /assets/application-4f1c2d9b7a.js?locale=de&variant=modern HTTP/1.1',
    'Host: shop.example.com',
    'Connection: keep-alive',
    'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"',
    'sec-ch-ua-mobile: ?0',
    'sec-ch-ua-platform: "Linux"',
    'Upgrade-Insecure-Requests: 1',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Mode: no-cors',
    'Sec-Fetch-Dest: script',
    'Referer: https://shop.example.com/products/blue-suede-shoes?utm_source=newsletter',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7',
    `Cookie: session=${'0123456789abcdef'.repeat(8)}; theme=dark; consent=yes`,
    '',
    '',
  ].join('\r\n'),
  'latin1',
)

const head = new RequestHead()
let check = 0

function parseWhole(octets: Buffer): void {
  head.reset()
  check += head.parse(octets, 0, octets.length, limits)
}

function parseInTwo(octets: Buffer): void {
  head.reset()
  head.parse(octets, 0, octets.length >> 1, limits)
  check += head.parse(octets, head.resume, octets.length, limits)
}

report(`head of ${short.length} octets`, () => parseWhole(short))
report(`head of ${browser.length} octets`, () => parseWhole(browser))
report(`head of ${browser.length} octets, in two pieces`, () => parseInTwo(browser))
if (check <= 0) throw new Error('nothing was parsed')
