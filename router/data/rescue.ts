// What the client is told for every way in which a request can fail. One table: a new code cannot be forgotten.

import type { FailureCode } from '../model/counters.ts'

interface Verdict {
  readonly status: number
  /** Whether what follows on the connection can still be told apart; if not, it is closed after the answer. */
  readonly close: boolean
}

const verdicts = {
  'bad-request': { status: 400, close: true },
  'uri-too-long': { status: 414, close: true },
  'header-too-large': { status: 431, close: true },
  'method-not-allowed': { status: 405, close: true },
  'version-not-supported': { status: 505, close: true },
  'request-timeout': { status: 408, close: true },
  'body-too-large': { status: 413, close: true },
  'no-endpoint': { status: 503, close: false },
  'connect-failed': { status: 502, close: false },
  'connect-timeout': { status: 504, close: false },
  'upstream-closed': { status: 502, close: false },
  'upstream-invalid': { status: 502, close: false },
  'upstream-timeout': { status: 504, close: false },
} as const satisfies Record<FailureCode, Verdict>

/** Nobody is left to read it: the status of a request whose client went away is for the log alone, as nginx has it. */
export const clientClosed = 499

/** What to answer for a failure. */
export function rescue(code: FailureCode): Verdict {
  return verdicts[code]
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  301: 'Moved Permanently',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
  499: 'Client Closed Request',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
}

/** Reason phrase of a status that the router itself answers with (RFC 9110 section 15). */
export function reasonOf(status: number): string {
  return reasons[status] ?? 'Unknown'
}

/** The short HTML body of an answer of the router's own (contract section 13: the content is not contractual). */
export function errorPage(status: number): string {
  const title = `${status} ${reasonOf(status)}`
  return `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`
}
