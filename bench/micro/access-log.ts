// What the access log costs a request: capturing what the client sent and writing the line, in the standard format and
// in formats of an operator's own.

import { AccessLog, LogOctets, type LogRecord } from '#router/data/access-log.ts'
import { captureLog } from '#router/data/http/request-facts.ts'
import { RequestHead } from '#router/data/http/request-head.ts'
import { standardLogFormat } from '#router/model/log-variables.ts'
import { report } from './rounds.ts'

const source = Buffer.from(
  [
    'GET /assets/application-4f1c2d9b7a.js?locale=de&variant=modern HTTP/1.1',
    'Host: shop.example.com',
    'Connection: keep-alive',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'Referer: https://shop.example.com/products/blue-suede-shoes?utm_source=newsletter',
    'Accept-Encoding: gzip, deflate, br, zstd',
    '',
    '',
  ].join('\r\n'),
  'latin1',
)
const head = new RequestHead()
head.parse(source, 0, source.length, { line: 32 * 1024, head: 128 * 1024 })

const logOctets = new LogOctets()
const record: LogRecord = {
  logApp: 'shop/web',
  logServerName: 'shop.example.com',
  clientAddress: '192.0.2.1',
  logUser: '-',
  status: 200,
  bytesSent: 12_345,
  upstreamName: '10.0.0.1:8080',
  upstreamTime: 12.3,
  requestTime: 12.9,
  logOctets,
}
const time = '[2016-05-31T16:56:12+00:00]'
let octets = 0
const log = new AccessLog(lines => {
  octets += lines.length
})

report('capture', () => {
  logOctets.clear()
  captureLog(head, source, logOctets)
})
report('capture and line', () => {
  logOctets.clear()
  captureLog(head, source, logOctets)
  log.write(time, record)
})
const formats = {
  'the same, compiled': `escape=default ${standardLogFormat}`,
  'as JSON':
    'escape=json {"time":"$time_iso8601","app":"$app_name","client":"$remote_addr","status":$status,' +
    '"request":"$request","bytes":$bytes_sent,"agent":"$http_user_agent","seconds":$request_time}',
}
for (const [name, text] of Object.entries(formats)) {
  log.use(text)
  report(`capture and line, ${name}`, () => {
    logOctets.clear()
    captureLog(head, source, logOctets, log.format)
    log.write(time, record)
  })
}
if (octets === 0) throw new Error('nothing was logged')
