// A line of a log: what apps, the controller and the router say, one at a time, and the text in which people read it
// (registry contract, section 10). Pure.

import { isIP } from 'node:net'
import { wholeCharacters } from '#kit/children/lines.ts'
import { canonicalAddress } from '#kit/ip-address.ts'

/** Who wrote a line. A flood of one pushes out no lines of another. */
export type LogSource = 'app' | 'controller' | 'router'

export const logSources = ['app', 'controller', 'router'] as const satisfies readonly LogSource[]

export interface LogLine {
  /** Id of the app; or, of what cannot be attributed, the address of its sender, which is never an app's id. */
  readonly app: string
  readonly source: LogSource
  /** `web.v2.nzf60`; null: not known, or the platform itself. */
  readonly process: string | null
  /** Milliseconds since 1970. */
  readonly time: number
  /** Without a line end. */
  readonly text: string
}

/** Octets of a line's text; what is longer is cut. */
export const maxText = 16 * 1024

/** Whether it can be the id of an app: a label of DNS, which is what the controller makes. */
export function isAppId(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text)
}

/** Whether lines can be kept under it: an app's id, or an address in the one form that it has here. */
export function isLogName(text: string): boolean {
  return isAppId(text) || (isIP(text) !== 0 && canonicalAddress(text) === text)
}

/** Whether it can be the `process` of a line: `web.v2.nzf60`. */
export function isProcessName(text: string): boolean {
  return text.length <= 128 && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text)
}

/** Years 1970 to 9999. */
const lastTime = 253_402_300_799_999

/** Whether a clock can have shown it, in milliseconds. */
export function isTime(time: number): boolean {
  return Number.isSafeInteger(time) && time >= 0 && time <= lastTime
}

/** As people read it: `2016-10-18T20:29:38+00:00 foo[web.v2.nzf60]: test message`, without a line end. */
export function textOfLine({ app, source, process, time, text }: LogLine): string {
  const who = source === 'app' ? (process === null ? app : `${app}[${process}]`) : `deis[${source}]`
  return `${textOfTime(time)} ${who}: ${text}`
}

let lastSecond = Number.NaN
let lastText = ''

/** `2016-10-18T20:29:38+00:00`. Neighbouring lines are mostly of the same second. */
function textOfTime(time: number): string {
  const second = Math.floor(time / 1000)
  if (second !== lastSecond) {
    lastSecond = second
    lastText = `${new Date(second * 1000).toISOString().slice(0, 19)}+00:00`
  }
  return lastText
}

/**
 * One line of it, of `maxText` octets at most and without NUL. Line ends inside are written as rsyslog does (`#012`), those at
 * the end are left out.
 */
export function oneLine(text: string): string {
  let end = text.length
  while (end > 0 && (text.charCodeAt(end - 1) === 0x0a || text.charCodeAt(end - 1) === 0x0d)) end--
  const line = end === text.length ? text : text.slice(0, end)
  return bounded(
    /[\n\r\0]/.test(line) ? line.replace(/[\n\r\0]/g, octet => octalOf[octet as keyof typeof octalOf]) : line,
  )
}

const octalOf = { '\n': '#012', '\r': '#015', '\0': '#000' } as const

function bounded(text: string): string {
  // A unit of UTF-16 takes three octets at most.
  if (text.length * 3 <= maxText || Buffer.byteLength(text) <= maxText) return text
  const octets = Buffer.from(text.slice(0, maxText))
  return octets.toString('utf8', 0, wholeCharacters(octets, maxText))
}
