// What the client is told for every way in which a request can fail. One table: a new code cannot be forgotten.

import type { FailureCode } from '../model/counters.ts'

interface Verdict {
  readonly status: number
  /** Whether what follows on the connection can still be told apart; if not, it is closed after the answer. */
  readonly close: boolean
  /** Seconds after which the client may well have an answer; 0: nobody knows. */
  readonly retryAfter: number
}

const verdicts = {
  'bad-request': { status: 400, close: true, retryAfter: 0 },
  'uri-too-long': { status: 414, close: true, retryAfter: 0 },
  'header-too-large': { status: 431, close: true, retryAfter: 0 },
  'method-not-allowed': { status: 405, close: true, retryAfter: 0 },
  'version-not-supported': { status: 505, close: true, retryAfter: 0 },
  'request-timeout': { status: 408, close: true, retryAfter: 0 },
  'body-too-large': { status: 413, close: true, retryAfter: 0 },
  loop: { status: 508, close: false, retryAfter: 0 },
  'no-endpoint': { status: 503, close: false, retryAfter: 0 },
  'queue-full': { status: 503, close: false, retryAfter: 1 },
  'queue-timeout': { status: 503, close: false, retryAfter: 1 },
  'connect-failed': { status: 502, close: false, retryAfter: 0 },
  'connect-timeout': { status: 504, close: false, retryAfter: 0 },
  'upstream-closed': { status: 502, close: false, retryAfter: 0 },
  'upstream-invalid': { status: 502, close: false, retryAfter: 0 },
  'upstream-timeout': { status: 504, close: false, retryAfter: 0 },
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
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  499: 'Client Closed Request',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
}

/** Reason phrase of a status that the router itself answers with (RFC 9110 section 15). */
export function reasonOf(status: number): string {
  return reasons[status] ?? 'Unknown'
}

/** What a status alone does not tell. */
const notes: Readonly<Record<number, string>> = {
  508: '<p>This request has passed through a router too often. What this address leads to seems to lead back here.</p>',
}

/** The short HTML body of an answer of the router's own (contract section 13: the content is not contractual). */
export function errorPage(status: number): string {
  const title = `${status} ${reasonOf(status)}`
  return `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1>${notes[status] ?? ''}</body></html>\n`
}
