// Single fields of request bodies, with the texts that every resource has for them (controller contract, section 1).

import { invalid } from './refusal.ts'

export interface TextRules {
  /** Most characters. */
  readonly most?: number
  /** Whether it may be empty. */
  readonly blank?: boolean
  /** Whether white space around it is taken away; true if not said. */
  readonly trim?: boolean
}

/** What databases and environments cannot hold; null when it is fine. */
export function textFault(text: string): string | null {
  if (text.includes('\0')) return 'Null characters are not allowed.'
  return text.isWellFormed() ? null : 'Unpaired surrogates are not allowed.'
}

/** A required text, trimmed. A number stands for its digits. */
export function readText(field: string, raw: unknown, { most, blank = false, trim = true }: TextRules = {}): string {
  if (raw === undefined) throw invalid(field, 'This field is required.')
  if (raw === null) throw invalid(field, 'This field may not be null.')
  // JSON has 1e999, which is no number here.
  if (typeof raw !== 'string' && !Number.isFinite(raw)) throw invalid(field, 'Not a valid string.')
  const text = trim ? String(raw).trim() : String(raw)
  if (text === '' && !blank) throw invalid(field, 'This field may not be blank.')
  const fault = textFault(text) ?? lengthFault(text, most)
  if (fault !== null) throw invalid(field, fault)
  return text
}

/** What is wrong with the length of a text; null when nothing is. Characters are code points. */
export function lengthFault(text: string, most = Number.POSITIVE_INFINITY): string | null {
  // The first comparison spares counting: a code point has two units at most.
  const isTooLong = text.length > 2 * most || (text.length > most && [...text].length > most)
  return isTooLong ? `Ensure this field has no more than ${most} characters.` : null
}

const truths = new Set<unknown>([true, 1, '1', 'true', 'True', 'TRUE', 't', 'T', 'y', 'yes', 'on'])
const untruths = new Set<unknown>([false, 0, '0', 'false', 'False', 'FALSE', 'f', 'F', 'n', 'no', 'off'])

/** A boolean, or the words that clients have always been allowed to write for one. */
export function readBoolean(field: string, raw: unknown): boolean {
  if (truths.has(raw)) return true
  if (untruths.has(raw)) return false
  throw invalid(field, `"${quoted(raw)}" is not a valid boolean.`)
}

/** Characters of what was sent that a message shows, and levels of it. */
const longestQuote = 200
const deepestQuote = 5

/** What was sent, for a message: as JSON, a string without its quotes, cut to a length that a person reads. */
export function quoted(raw: unknown): string {
  const text = typeof raw === 'string' ? raw : jsonOf(raw, deepestQuote)
  return (text.length <= longestQuote ? text : `${text.slice(0, longestQuote)}...`).toWellFormed().replaceAll('\0', '')
}

/** Only as much of it as will be shown: twice the depth takes `JSON.stringify` three times as long, and costs a client nothing. */
function jsonOf(raw: unknown, levels: number): string {
  if (typeof raw === 'string') return JSON.stringify(raw.slice(0, longestQuote + 1))
  if (typeof raw !== 'object' || raw === null) return String(raw)
  const isList = Array.isArray(raw)
  const parts: string[] = []
  let length = 0
  for (const key in raw) {
    if (!Object.hasOwn(raw, key)) continue
    if (levels === 0 || length > longestQuote) {
      parts.push('...')
      break
    }
    const value = jsonOf((raw as Readonly<Record<string, unknown>>)[key], levels - 1)
    parts.push(isList ? value : `${jsonOf(key, 0)}:${value}`)
    length += parts.at(-1)!.length + 1
  }
  return isList ? `[${parts.join(',')}]` : `{${parts.join(',')}}`
}
