// Random requests for property tests: valid ones from a model, and what becomes of them when somebody tampers.

import fc from 'fast-check'

/** The same octets in every run unless FUZZ_SEED says otherwise; FUZZ_FACTOR multiplies the number of runs. */
export const seed = Number(process.env.FUZZ_SEED ?? 9112)
const factor = Number(process.env.FUZZ_FACTOR ?? 1)

export function settings(numRuns: number): { seed: number; numRuns: number; endOnFailure: boolean } {
  return { seed, numRuns: Math.ceil(numRuns * factor), endOnFailure: false }
}

export type Field = readonly [name: string, value: string]

export interface Chunk {
  readonly size: string
  readonly extension: string
  readonly data: string
}

export type ModelBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly data: string }
  | { readonly kind: 'chunked'; readonly chunks: readonly Chunk[]; readonly trailers: readonly Field[] }

export interface ModelRequest {
  readonly method: string
  readonly target: string
  readonly version: 'HTTP/1.0' | 'HTTP/1.1'
  /** Host is among them. */
  readonly fields: readonly Field[]
  readonly body: ModelBody
}

/** Text whose characters are octets. */
function octets(from: string, constraints: { minLength?: number; maxLength: number }): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...from), ...constraints })
}

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
const digits = '0123456789'
const tokenOctets = `${letters}${digits}!#$%&'*+-.^_\`|~`
const visible = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i)).join('')
const high = '\x80\x85\xa0\xe9\xff'

const method = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH') },
  { weight: 1, arbitrary: fc.constantFrom('M-SEARCH', 'PROPFIND', 'REPORT', 'PURGE') },
)

const path = octets(`${visible.replace('#', '')}////`, { maxLength: 20 }).map(text => `/${text}`)
const host = fc.constantFrom('a.example', 'A.Example', 'a.example:80', 'a.example.', '192.0.2.1', '[2001:db8::1]:8080')

const fieldValue = fc
  .oneof(
    octets(`${visible}   `, { maxLength: 30 }),
    octets(`${visible}\t ${high}`, { maxLength: 12 }),
    fc.constantFrom('', 'chunked', 'close', '0', '5, 6', 'a - b', 'GET / HTTP/1.1'),
  )
  .map(text => text.replace(/^[ \t]+|[ \t]+$/g, ''))

/** Names that neither frame nor route, some of them known to the router. */
const fieldName = fc.oneof(
  octets(tokenOctets, { minLength: 1, maxLength: 12 }).filter(name => !framingNames.has(name.toLowerCase())),
  fc.constantFrom(
    'Accept',
    'Cookie',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Port',
    'X-Request-Id',
    'x-correlation-id',
    'X-Request-Start',
    'Authorization',
    'Referer',
    'USER-AGENT',
    'Date',
    'Server',
    'TE',
    'Keep-Alive',
    'Proxy-Connection',
    'HTTP2-Settings',
    'Early-Data',
    'X-Accel-Buffering',
    'X_Under_Score',
    'Content_Length',
    'Content-Type',
    'Upgrade-Insecure-Requests',
  ),
)

const framingNames = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'expect', 'te'])

const field: fc.Arbitrary<Field> = fc.tuple(fieldName, fieldValue)

const connection = fc.oneof(
  { weight: 6, arbitrary: fc.constant<readonly Field[]>([]) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('keep-alive', 'Keep-Alive, Accept', 'x-nominated , ,cookie', 'close', 'TE', 'close, Host')
      .map(value => [['Connection', value] as const]),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('websocket', 'h2c', 'foo/1').map(
      value =>
        [
          ['Connection', 'Upgrade'],
          ['Upgrade', value],
        ] as const,
    ),
  },
)

const data = fc.oneof(
  octets(`${visible}\r\n\x00${high}`, { maxLength: 40 }),
  fc.constantFrom('0\r\n\r\n', 'GET /smuggled HTTP/1.1\r\nHost: b.example\r\n\r\n', '\r\n', '5\r\nhello\r\n0\r\n\r\n'),
)

const extension = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom(';a', ';a=b', ';a="b c"', ';a="\\"";b', ';ieof') },
)

const chunk: fc.Arbitrary<Chunk> = fc
  .tuple(
    data.filter(text => text !== ''),
    extension,
    fc.boolean(),
    fc.nat(3),
  )
  .map(([text, ext, upper, zeros]) => {
    const digitsOfSize = text.length.toString(16)
    return { size: '0'.repeat(zeros) + (upper ? digitsOfSize.toUpperCase() : digitsOfSize), extension: ext, data: text }
  })

const trailer: fc.Arbitrary<Field> = fc.tuple(fc.constantFrom('X-Checksum', 'Server-Timing', 'x'), fieldValue)

const body: fc.Arbitrary<ModelBody> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<ModelBody>({ kind: 'none' }) },
  { weight: 2, arbitrary: data.map(text => ({ kind: 'length' as const, data: text })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.array(chunk, { maxLength: 4 }), fc.array(trailer, { maxLength: 2 }))
      .map(([chunks, trailers]) => ({ kind: 'chunked' as const, chunks, trailers })),
  },
)

/** A request that the parser takes. */
export const validRequest: fc.Arbitrary<ModelRequest> = fc
  .record({
    method,
    path,
    form: fc.constantFrom('origin', 'origin', 'origin', 'absolute', 'asterisk'),
    host,
    version: fc.constantFrom('HTTP/1.1' as const, 'HTTP/1.1' as const, 'HTTP/1.1' as const, 'HTTP/1.0' as const),
    before: fc.array(field, { maxLength: 4 }),
    connection,
    behind: fc.array(field, { maxLength: 4 }),
    body,
  })
  .map(({ method, path, form, host, version, before, connection, behind, body }) => {
    const asterisk = form === 'asterisk' && method === 'OPTIONS'
    const target = asterisk ? '*' : form === 'absolute' ? `http://${host}${path}` : path
    const framed = version === 'HTTP/1.0' && body.kind === 'chunked' ? ({ kind: 'none' } as const) : body
    return { method, target, version, fields: [...before, ['Host', host], ...connection, ...behind], body: framed }
  })

export function writeFields(fields: readonly Field[]): string {
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
}

export function payloadOf(body: ModelBody): string {
  if (body.kind === 'none') return ''
  return body.kind === 'length' ? body.data : body.chunks.map(({ data }) => data).join('')
}

export function writeHead({ method, target, version, fields, body }: ModelRequest): string {
  let framing = ''
  if (body.kind === 'length') framing = `Content-Length: ${body.data.length}\r\n`
  else if (body.kind === 'chunked') framing = 'Transfer-Encoding: chunked\r\n'
  return `${method} ${target} ${version}\r\n${writeFields(fields)}${framing}\r\n`
}

export function writeBody(body: ModelBody): string {
  if (body.kind !== 'chunked') return payloadOf(body)
  const chunks = body.chunks.map(({ size, extension, data }) => `${size}${extension}\r\n${data}\r\n`).join('')
  return `${chunks}0\r\n${writeFields(body.trailers)}\r\n`
}

export function writeRequest(request: ModelRequest): string {
  return writeHead(request) + writeBody(request.body)
}

/** Where: a share of the whole, or the beginning, the colon or the end of some line. */
interface Place {
  readonly share: number
  readonly line: 'anywhere' | 'start' | 'colon' | 'end'
}

type Mutation =
  | { readonly kind: 'insert'; readonly place: Place; readonly text: string }
  | { readonly kind: 'remove'; readonly place: Place; readonly octets: number }
  | { readonly kind: 'set'; readonly place: Place; readonly octet: number }
  | { readonly kind: 'repeat'; readonly place: Place; readonly octets: number }
  /** Behind the first line or a later one. */
  | { readonly kind: 'line'; readonly share: number; readonly text: string }
  | { readonly kind: 'repeat-line'; readonly share: number }

const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

const place: fc.Arbitrary<Place> = fc.record({
  share,
  line: fc.constantFrom('anywhere' as const, 'start' as const, 'colon' as const, 'end' as const),
})

const snippet = fc.oneof(
  fc.constantFrom(...' \t\r\n\x00:,;="\\+-_x0'),
  fc.constantFrom('\r\n', '\n\r', '\x0b', '\x0c', '\x1f', '\x7f', '\x85', '\xa0', '0x', '%0d%0a', ' \r\n', '\r\n '),
  fc.constantFrom('0\r\n\r\n', '\r\n\r\n', 'GET /inserted HTTP/1.1\r\nHost: a.example\r\n\r\n'),
)

/** Lines about framing and routing, in forms that parsers have been known to differ about. */
const line = fc.constantFrom(
  'Content-Length: 3\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: +3\r\n',
  'Content-Length: 3, 3\r\n',
  'Content-Length:\r\n',
  'content-length : 3\r\n',
  'Content-Length: 3\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: Chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding:\r\n chunked\r\n',
  'Transfer-Encoding:\x0bchunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding\r\n: chunked\r\n',
  'X: y\rTransfer-Encoding: chunked\r\n',
  'Host: b.example\r\n',
  'Connection: close\r\n',
  'Connection: transfer-encoding, content-length\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: websocket\r\nConnection: upgrade\r\n',
  ' folded\r\n',
)

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), place, text: snippet }),
  fc.record({ kind: fc.constant('remove' as const), place, octets: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('set' as const), place, octet: fc.nat(255) }),
  fc.record({ kind: fc.constant('repeat' as const), place, octets: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('line' as const), share, text: line }),
  fc.record({ kind: fc.constant('line' as const), share, text: line }),
  fc.record({ kind: fc.constant('repeat-line' as const), share }),
)

function positionOf({ share, line }: Place, text: string): number {
  const at = Math.floor(share * text.length)
  if (line === 'anywhere') return at
  const end = text.indexOf('\r\n', at)
  if (end < 0) return at
  if (line === 'end') return end
  if (line === 'start') return end + 2
  const colon = text.indexOf(':', end)
  return colon < 0 ? end : colon
}

/** Where some line but the first begins. */
function lineAt(share: number, text: string): number {
  const starts = [...text.matchAll(/\r\n/g)].map(({ index }) => index + 2)
  return starts[Math.floor(share * starts.length)] ?? text.length
}

function mutate(text: string, mutation: Mutation): string {
  if (mutation.kind === 'line' || mutation.kind === 'repeat-line') {
    const start = lineAt(mutation.share, text)
    const end = text.indexOf('\r\n', start)
    const inserted = mutation.kind === 'line' ? mutation.text : end < 0 ? '' : text.slice(start, end + 2)
    return text.slice(0, start) + inserted + text.slice(start)
  }
  const at = positionOf(mutation.place, text)
  switch (mutation.kind) {
    case 'insert':
      return text.slice(0, at) + mutation.text + text.slice(at)
    case 'remove':
      return text.slice(0, at) + text.slice(at + mutation.octets)
    case 'set':
      return text.slice(0, at) + String.fromCharCode(mutation.octet) + text.slice(at + 1)
    case 'repeat':
      return text.slice(0, at + mutation.octets) + text.slice(at)
  }
}

/** One to three requests behind one another, with up to three acts of tampering; octets as latin1 text. */
export const requestStream: fc.Arbitrary<string> = fc
  .tuple(fc.array(validRequest, { minLength: 1, maxLength: 3 }), fc.array(mutation, { maxLength: 3 }))
  .map(([requests, mutations]) => mutations.reduce(mutate, requests.map(writeRequest).join('')))
