// Whether a response is compressed (contract section 12), and what its head says then.

import type { Coding } from './accept.ts'
import type { CodingRules } from './rules.ts'

export type RequestFieldName = 'acceptEncoding' | 'userAgent' | 'via' | 'authorization'
export type ResponseFieldName =
  | 'contentType'
  | 'contentEncoding'
  | 'cacheControl'
  | 'vary'
  | 'expires'
  | 'date'
  | 'lastModified'
  | 'etag'

/** What is asked of an exchange whose final response head has come. Strings are made only when one asks. */
export interface CodingFacts {
  readonly status: number
  /** Of the request. */
  readonly minorVersion: number
  /** Of the response; -1: it does not say. */
  readonly contentLength: number
  /** The field's value, several lines joined by commas, or '' when there is none. */
  requestField(name: RequestFieldName): string
  responseField(name: ResponseFieldName): string
}

export interface CodingDecision {
  /**
   * Null: the body crosses as it is. Else what describes the octets that the app sent does not cross: Content-Length;
   * an empty Content-Encoding, as some apps send it; Accept-Ranges, for ranges would be cut out of other octets; Trailer,
   * for trailers are left behind with the app's framing; and digests. Content-MD5 and Content-Digest cover the content as
   * sent, Repr-Digest and Digest the representation, of which the content coding is a part (RFC 9530 section 3).
   */
  readonly coding: Coding | null
  /** Field lines to add, each with CRLF. The entity tag is not among them: see `weakEntityTag`. */
  readonly lines: string
  /** The lines when there is no encoder to be had after all. */
  readonly uncodedLines: string
}

const varyLine = 'Vary: Accept-Encoding\r\n'
const untouched = decisions('')
const varies = decisions(varyLine)

function decisions(uncodedLines: string): Readonly<Record<Coding | 'none', CodingDecision>> {
  const of = (coding: Coding): CodingDecision => ({
    coding,
    lines: `Content-Encoding: ${coding}\r\n${uncodedLines}`,
    uncodedLines,
  })
  return { none: { coding: null, lines: uncodedLines, uncodedLines }, gzip: of('gzip'), br: of('br'), zstd: of('zstd') }
}

/** `now`: milliseconds, for an `Expires` without a `Date`. The same for HEAD as for GET (RFC 9110 section 9.3.2). */
export function decideCoding(rules: CodingRules, facts: CodingFacts, now: number): CodingDecision {
  if (!rules.enabled || !mayBeCoded(rules, facts)) return untouched.none
  const vary = rules.vary && !names(facts.responseField('vary'), 'accept-encoding', true)
  return (vary ? varies : untouched)[codingFor(rules, facts, now) ?? 'none']
}

/** Whether the response is one of those that some clients get compressed. */
function mayBeCoded(rules: CodingRules, facts: CodingFacts): boolean {
  const { status, contentLength } = facts
  if (status !== 200 && status !== 403 && status !== 404) return false
  if (contentLength >= 0 && contentLength < rules.minLength) return false
  if (rules.types !== null && !rules.types.has(mediaType(facts.responseField('contentType')))) return false
  if (facts.responseField('contentEncoding') !== '') return false
  // RFC 9111 section 5.2.2.6 and RFC 9110 section 7.7.
  return !names(facts.responseField('cacheControl'), 'no-transform', false)
}

/** The coding for this client. */
function codingFor(rules: CodingRules, facts: CodingFacts, now: number): Coding | null {
  if (facts.minorVersion < rules.minorVersion) return null
  const coding = rules.accept.negotiate(facts.requestField('acceptEncoding'))
  if (coding === null || rules.disabled.has(facts.requestField('userAgent'))) return null
  return facts.requestField('via') === '' || mayBeCodedForProxy(rules.proxied, facts, now) ? coding : null
}

/** `gzip.proxied`, step by step as nginx takes it. */
function mayBeCodedForProxy(proxied: ReadonlySet<string>, facts: CodingFacts, now: number): boolean {
  if (proxied.has('off')) return false
  if (proxied.has('any')) return true
  if (proxied.has('auth') && facts.requestField('authorization') !== '') return true
  const expires = facts.responseField('expires')
  if (expires !== '') {
    if (!proxied.has('expired')) return false
    const date = facts.responseField('date')
    // What is no date compares as false.
    return Date.parse(expires) < (date === '' ? now : Date.parse(date))
  }
  const cacheControl = facts.responseField('cacheControl')
  if (cacheControl !== '') {
    for (const directive of ['no-cache', 'no-store', 'private'])
      if (proxied.has(directive) && names(cacheControl, directive, false)) return true
    return false
  }
  if (proxied.has('no_last_modified') && facts.responseField('lastModified') !== '') return false
  return !(proxied.has('no_etag') && facts.responseField('etag') !== '')
}

/** Without parameters, lower case. */
function mediaType(contentType: string): string {
  const end = contentType.indexOf(';')
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}

/** Whether a comma separated list has this member, with or without an argument; `orStar`: `*` says it, too. */
function names(list: string, member: string, orStar: boolean): boolean {
  if (list === '') return false
  for (const part of list.split(',')) {
    const equals = part.indexOf('=')
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase()
    if (name === member || (orStar && name === '*')) return true
  }
  return false
}

/**
 * The entity tag of the coded form: weak, for its octets are not those that the app tagged (RFC 9110 section 8.8.1).
 * Empty when `etag` is no entity tag; then none may be sent.
 */
export function weakEntityTag(etag: string): string {
  const opaque = etag.startsWith('W/') ? etag.slice(2) : etag
  return /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(opaque) ? `W/${opaque}` : ''
}
