// Names that apps answer to, in ACE form (controller contract, section 5, Domains; RFC 5890 to 5893).

import { domainToASCII, domainToUnicode } from 'node:url'
import { quoted, readText } from './field.ts'
import { invalid, type Refusal } from './refusal.ts'

const longest = 253

/** Characters that are looked at: what is longer is too long in ACE form, too. */
const longestGiven = 1024

/** Letters, digits and inner hyphens, which do not stand third and fourth: those labels are kept for codings. */
const plainLabel = /^(?!..--)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/
const aceLabel = /^xn--[A-Za-z0-9-]{0,58}[A-Za-z0-9]$/i

/** Letters, marks and digits (RFC 5892, section 2.1), and what counts in certain company, which is checked apart. */
const unicodeLabel = /^(?:[\p{Ll}\p{Lo}\p{Lm}\p{Mn}\p{Mc}\p{Nd}\u00b7\u0375\u05f3\u05f4\u30fb-]|\u200c|\u200d)+$/u

/** Those characters in no fitting company (RFC 5892, appendix A); joiners are checked by the coding itself. */
const misplaced = /(?<!l)\u00b7|\u00b7(?!l)|\u0375(?!\p{Script=Greek})|(?<!\p{Script=Hebrew})[\u05f3\u05f4]/u
const kana = /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u

/** Checks a domain and brings it into ACE form. Labels of ASCII keep their letter case. */
export function parseDomain(raw: unknown): string {
  const given = readText('domain', raw)
  const name = given.endsWith('.') ? given.slice(0, -1) : given
  if (name === '*') throw invalid('domain', "Hostname can't only be a wildcard")
  if (name.length > longestGiven) throw tooLong()
  const labels = name.split('.')
  const wildcard = labels[0] === '*'
  const codes = (wildcard ? labels.slice(1) : labels).map(label => {
    const code = aceOf(label)
    if (code !== null) return code
    throw invalid('domain', `Hostname does not look valid, could not convert to ACE ${quoted(name)}: ${reason(label)}`)
  })
  // The router has no wildcard over a single label, and `*.com` is nobody's.
  if (/^[0-9]+$/.test(codes.at(-1)!) || (wildcard && codes.length === 1))
    throw invalid('domain', 'Hostname does not look valid.')
  const domain = [...(wildcard ? ['*'] : []), ...codes].join('.')
  if (domain.length > longest) throw tooLong()
  return domain
}

function tooLong(): Refusal {
  return invalid('domain', `Hostname must be ${longest} characters or less.`)
}

function reason(label: string): string {
  return label === '' ? 'Empty Label' : `The label ${quoted(label)} is not valid`
}

/** A label in ACE form; null when there is none. */
function aceOf(label: string): string | null {
  if (plainLabel.test(label)) return label
  if (aceLabel.test(label)) return isAce(label.toLowerCase()) ? label : null
  if (label.length > 63) return null
  // Capitals have no code of their own, and composed letters one only.
  const text = label.toLowerCase().normalize('NFC')
  if (!isUnicode(text)) return null
  const code = domainToASCII(text)
  // Cherokee has its codes in capitals: what would come out could not be given again.
  return aceLabel.test(code) && isAce(code) ? code : null
}

/** Whether a lower-case label stands for one that may be coded, and for no other. */
function isAce(label: string): boolean {
  const text = domainToUnicode(label)
  return text !== label && isUnicode(text) && domainToASCII(text) === label
}

function isUnicode(label: string): boolean {
  return (
    unicodeLabel.test(label) &&
    label.normalize('NFKC') === label &&
    !/^-|-$|^..--|^\p{M}/u.test(label) &&
    !misplaced.test(label) &&
    (!label.includes('\u30fb') || kana.test(label))
  )
}

/** The domain that a path names, in Unicode or in ACE form; null when it can be none. */
export function domainOf(text: string): string | null {
  try {
    return parseDomain(text)
  } catch {
    return null
  }
}

/** Whether two names, each in Unicode or in ACE form, are the same one. Letter case does not count. */
export function isSameDomain(a: string, b: string): boolean {
  const domain = domainOf(a)
  return domain !== null && domain.toLowerCase() === domainOf(b)?.toLowerCase()
}

/** For a name that an app has already; `stored` is how it was written there. */
export function domainInUse(given: string, stored: string): Refusal {
  const name = given.trim()
  return invalid(
    'domain',
    name === stored
      ? 'Domain is already in use by another application'
      : `The domain ${quoted(name.endsWith('.') ? name.slice(0, -1) : name)} is already in use by another app`,
  )
}
