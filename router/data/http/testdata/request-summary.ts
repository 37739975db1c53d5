// Reads a request head in pieces, as a connection does, and says in plain values what the parser made of it, so that
// two ways of reading the same octets can be compared.

import type { FailureCode } from '../../../model/counters.ts'
import { hostNameOf } from '../request-facts.ts'
import { type HeadLimits, RequestHead } from '../request-head.ts'

export const usualLimits: HeadLimits = { line: 32 * 1024, head: 128 * 1024 }

/** Where something stands, counted from the first octet that was given, and what stands there. */
export type Range = readonly [from: number, to: number, text: string]

export interface HeadSummary {
  readonly kind: 'head'
  /** Octets that belong to the head. */
  readonly length: number
  readonly line: Range | null
  readonly method: Range | null
  readonly target: Range | null
  readonly path: Range | null
  readonly authority: Range | null
  readonly host: Range | null
  readonly hostName: string
  readonly traits: number
  readonly minorVersion: number
  readonly contentLength: number
  readonly chunked: boolean
  readonly close: boolean
  readonly keepAlive: boolean
  readonly upgrade: string | null
  readonly expectContinue: boolean
  readonly fields: readonly (readonly [id: number, name: Range | null, value: Range | null, lineEnd: number])[]
}

export type Summary =
  | HeadSummary
  | { readonly kind: 'incomplete' }
  /** `line`: what the access log would show of the request line. */
  | { readonly kind: 'refused'; readonly error: FailureCode; readonly line: string }

/** Octets of nobody in particular around what is read: a parser that strays off its range reads these. */
const filler = 0x41

/** Reads `octets` cut at `cuts` (ascending); before each piece but the first, all that came moves to another buffer. */
export function readRequest(octets: Buffer, cuts: readonly number[] = [], limits: HeadLimits = usualLimits): Summary {
  const head = new RequestHead()
  head.reset()
  let base = 7
  let buffer = place(octets, cuts[0] ?? octets.length, base)
  let result = head.parse(buffer, base, base + (cuts[0] ?? octets.length), limits)
  for (let i = 0; i < cuts.length && result === 0; i++) {
    const end = cuts[i + 1] ?? octets.length
    const next = i % 2 === 0 ? 0 : 40 + i
    buffer = place(octets, end, next)
    head.rebase(next - base)
    base = next
    result = head.parse(buffer, head.resume, base + end, limits)
  }
  return summarize(head, buffer, base, result)
}

function place(octets: Buffer, end: number, base: number): Buffer {
  const buffer = Buffer.alloc(base + octets.length + 50, filler)
  octets.copy(buffer, base, 0, end)
  return buffer
}

function summarize(head: RequestHead, buffer: Buffer, base: number, result: number): Summary {
  if (result === 0) return { kind: 'incomplete' }
  const { fields, framing } = head
  if (result < 0) {
    return { kind: 'refused', error: head.error, line: buffer.toString('latin1', head.methodStart, head.lineEnd) }
  }
  const range = (from: number, to: number): Range | null =>
    to > from ? [from - base, to - base, buffer.toString('latin1', from, to)] : null
  const text = (index: number): string => buffer.toString('latin1', fields.valueStart[index]!, fields.valueEnd[index]!)
  return {
    kind: 'head',
    length: result - base,
    line: range(head.methodStart, head.lineEnd),
    method: range(head.methodStart, head.methodEnd),
    target: range(head.targetStart, head.targetEnd),
    path: range(head.pathStart, head.pathEnd),
    authority: range(head.authorityStart, head.authorityEnd),
    host: range(head.hostStart, head.hostEnd),
    hostName: hostNameOf(head, buffer),
    traits: head.methodTraits,
    minorVersion: head.minorVersion,
    contentLength: framing.contentLength,
    chunked: framing.chunked,
    close: framing.close,
    keepAlive: framing.keepAlive,
    upgrade: head.upgradeField < 0 ? null : text(head.upgradeField),
    expectContinue: head.expectContinue,
    fields: Array.from({ length: fields.count }, (_, i) => [
      fields.id[i]!,
      range(fields.lineStart[i]!, fields.nameEnd[i]!),
      range(fields.valueStart[i]!, fields.valueEnd[i]!),
      fields.lineEnd[i]! - base,
    ]),
  }
}

/** Whether all positions lie within the head, and follow one another as the grammar has them. */
export function wellPlaced(summary: HeadSummary, octets: Buffer): boolean {
  const ranges = [summary.line, summary.method, summary.target, summary.path, summary.authority, summary.host]
  for (const [, name, value] of summary.fields) ranges.push(name, value)
  const inside = ranges.every(range => {
    if (range === null) return true
    const [from, to, text] = range
    return from >= 0 && from < to && to <= summary.length && octets.toString('latin1', from, to) === text
  })
  let at = summary.line === null ? 0 : summary.line[1] + 2
  for (const [, name, value, lineEnd] of summary.fields) {
    if (name === null || name[0] !== at || lineEnd < at || (value !== null && value[0] <= name[1])) return false
    at = lineEnd
  }
  return inside && summary.length <= octets.length && at + 2 === summary.length
}
