// The language of the annotation `logFormat`: that of nginx's log_format, text with `$name` or `${name}` in it, and
// before it perhaps `escape=default` or `escape=json` (contract sections 4, 14 and 16). Here is what a format says and
// what is wrong with it; `data/log-format.ts` writes lines by it. The text is only ever data.

/** The contract's own format (section 14). */
export const standardLogFormat =
  '[$time_iso8601] - $app_name - $remote_addr - $remote_user - $status - "$request" - $bytes_sent - "$http_referer" - ' +
  '"$http_user_agent" - "$server_name" - $upstream_addr - $http_host - $upstream_response_time - $request_time'

/** Names besides those of fields, which are `http_…`, `upstream_http_…` and the three of `sentFields`. */
export const logVariables = [
  'access_scheme',
  'app_name',
  'args',
  'body_bytes_sent',
  'bytes_sent',
  'connection',
  'connection_requests',
  'correlation_id',
  'gzip_ratio',
  'host',
  'hostname',
  'http2',
  'https',
  'is_args',
  'msec',
  'pid',
  'pipe',
  'proxy_protocol_addr',
  'query_string',
  'realip_remote_addr',
  'remote_addr',
  'remote_port',
  'remote_user',
  'request',
  'request_id',
  'request_length',
  'request_method',
  'request_time',
  'request_uri',
  'scheme',
  'server_addr',
  'server_name',
  'server_port',
  'server_protocol',
  'ssl_cipher',
  'ssl_protocol',
  'ssl_server_name',
  'status',
  'time_iso8601',
  'time_local',
  'upstream_addr',
  'upstream_bytes_received',
  'upstream_connect_time',
  'upstream_header_time',
  'upstream_response_time',
  'upstream_status',
  'uri',
] as const

export type LogVariable = (typeof logVariables)[number]

/** `$sent_http_…` of fields that cross as the app sent them. */
const sentFields: ReadonlySet<string> = new Set(['content_type', 'content_length', 'location'])
/** Their values let whoever reads the log act as somebody else. */
const secretFields: ReadonlySet<string> = new Set(['authorization', 'proxy_authorization', 'cookie', 'set_cookie'])

export type LogPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: LogVariable }
  /** A field of the request, or of the app's answer; lower case. */
  | { readonly kind: 'request-field'; readonly name: string }
  | { readonly kind: 'answer-field'; readonly name: string }
  /** Always `-`. */
  | { readonly kind: 'unknown' }

export interface ParsedLogFormat {
  /** `default` is that of contract section 14, `json` that of the inside of a JSON string. */
  readonly escaping: 'default' | 'json'
  /** Empty: there is nothing to write by, and the contract's format holds. */
  readonly parts: readonly LogPart[]
  /** Sentences: what is wrong and what holds instead. */
  readonly faults: readonly string[]
}

const longestFormat = 4096
const mostVariables = 128
const mostFaults = 16

/** Total: whatever the text is, there is something to log by. */
export function parseLogFormat(text: string): ParsedLogFormat {
  if (Buffer.byteLength(text) > longestFormat)
    return unusable(`it is longer than ${longestFormat} octets; the standard format holds`)
  const faults = new Set<string>()
  const [, option = null, rest = ''] = /^\s*(?:escape=([^\s'"]*)(?=\s|['"]|$))?(.*)$/s.exec(text)!
  const escaping = readEscape(option, faults)
  const parts = readParts(oneLine(option === null ? rest : unquoted(rest)), faults)
  const variables = parts.filter(({ kind }) => kind !== 'text').length
  if (variables > mostVariables)
    return unusable(`it has more than ${mostVariables} variables; the standard format holds`)
  if (variables === 0) return unusable('it has no variable; the standard format holds')
  return { escaping, parts, faults: [...faults].slice(0, mostFaults) }
}

/** What is wrong with the format, a sentence each; none: it is in force as it stands. */
export function logFormatFaults(text: string): readonly string[] {
  return parseLogFormat(text).faults
}

function unusable(fault: string): ParsedLogFormat {
  return { escaping: 'default', parts: [], faults: [fault] }
}

function readEscape(option: string | null, faults: Set<string>): 'default' | 'json' {
  if (option === 'json') return 'json'
  if (option === 'none') faults.add('escape=none would let clients write lines of their own; escape=default holds')
  else if (option !== null && option !== 'default')
    faults.add(`escape=${JSON.stringify(option.slice(0, 64))} is not known; escape=default holds`)
  return 'default'
}

/** Behind the option people have what they had in nginx.conf: one or more quoted strings, to be read as one. */
function unquoted(text: string): string {
  const strings = /^\s*(?:'[^']*'\s*)+$/.test(text) ? text.match(/'[^']*'/g) : null
  return strings === null ? text : strings.map(string => string.slice(1, -1)).join('')
}

/** YAML makes it easy to write a format in several lines; a log line stays one. Tabs may part values. */
function oneLine(text: string): string {
  return text.trim().replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
}

function readParts(text: string, faults: Set<string>): readonly LogPart[] {
  const parts: LogPart[] = []
  let at = 0
  for (const match of text.matchAll(/\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))?/g)) {
    if (match.index > at) parts.push({ kind: 'text', text: text.slice(at, match.index) })
    at = match.index + match[0].length
    const name = match[1] ?? match[2]
    if (name === undefined) {
      faults.add('a "$" without the name of a variable is written as it stands')
      parts.push({ kind: 'text', text: '$' })
    } else parts.push(readVariable(name.toLowerCase(), faults))
  }
  if (at < text.length) parts.push({ kind: 'text', text: text.slice(at) })
  return parts
}

function readVariable(name: string, faults: Set<string>): LogPart {
  const known = logVariables.find(each => each === name)
  if (known !== undefined) return { kind: 'variable', name: known }
  if (name === 'content_type' || name === 'content_length') return { kind: 'request-field', name: fieldName(name) }
  const [, origin = '', field = ''] = /^(http_|sent_http_|upstream_http_)(.+)$/.exec(name) ?? []
  if (field !== '' && secretFields.has(field)) {
    faults.add(`$${name} may hold a secret and is logged as "-"`)
    return { kind: 'unknown' }
  }
  if (origin === 'http_' && field !== '') return { kind: 'request-field', name: fieldName(field) }
  if (origin === 'upstream_http_' || (origin === 'sent_http_' && sentFields.has(field)))
    return { kind: 'answer-field', name: fieldName(field) }
  faults.add(`$${name.slice(0, 64)} is not known and is logged as "-"`)
  return { kind: 'unknown' }
}

function fieldName(variable: string): string {
  return variable.replaceAll('_', '-')
}
