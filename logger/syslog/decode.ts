// Messages of syslog as they come: RFC 5424, and RFC 3164 with what real senders make of it. Pure; it never throws, and takes time in
// proportion to the message.

import { isTime } from '../line.ts'

export interface SyslogMessage {
  readonly kind: 'rfc5424' | 'rfc3164'
  readonly facility: number
  readonly severity: number
  /** Milliseconds since 1970; null: the message has none. */
  readonly time: number | null
  readonly hostname: string | null
  /** RFC 3164: the tag without what is in brackets after it. */
  readonly appName: string | null
  /** RFC 3164: what the tag has in brackets. */
  readonly procId: string | null
  /** RFC 5424 only. */
  readonly msgId: string | null
  readonly text: string
}

/** What is no syslog at all: without a priority, or of RFC 5424 in its version but not in its form. */
export interface MalformedMessage {
  readonly kind: 'malformed'
  readonly text: string
}

/** `now`, milliseconds since 1970: RFC 3164 says no year. */
export function decodeMessage(octets: Buffer, now: number): SyslogMessage | MalformedMessage {
  // Octets that are not UTF-8 become U+FFFD; a message that was cut inside of a character ends with one.
  const raw = octets.toString('utf8')
  const priority = /^<(0|[1-9][0-9]{0,2})>/.exec(raw)
  if (priority === null || Number(priority[1]) > 191) return { kind: 'malformed', text: raw }
  const facility = Number(priority[1]) >> 3
  const severity = Number(priority[1]) & 7
  const rest = raw.slice(priority[0].length)
  if (!/^[1-9][0-9]{0,2} /.test(rest)) return { facility, severity, ...decodeOld(rest, now) }
  if (!rest.startsWith('1 ')) return { kind: 'malformed', text: raw }
  const message = decodeNew(rest)
  return message === null ? { kind: 'malformed', text: raw } : { facility, severity, ...message }
}

type Body = Omit<SyslogMessage, 'facility' | 'severity'>

/** VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP; names are longer at some senders than they may be. */
const newHead = /^1 (\S{1,64}) (\S{1,255}) (\S{1,255}) (\S{1,255}) (\S{1,255})(?: |$)/

function decodeNew(rest: string): Body | null {
  const head = newHead.exec(rest)
  if (head === null) return null
  const [all, timestamp = '-', hostname = '-', appName = '-', procId = '-', msgId = '-'] = head
  const time = timestamp === '-' ? null : timeOf(timestamp)
  if (timestamp !== '-' && time === null) return null
  const after = endOfData(rest, all.length)
  if (after === null) return null
  const text = rest.charCodeAt(after) === 0xfeff ? rest.slice(after + 1) : rest.slice(after)
  const names = { hostname: orNull(hostname), appName: orNull(appName), procId: orNull(procId), msgId: orNull(msgId) }
  return { kind: 'rfc5424', time, ...names, text }
}

function orNull(word: string): string | null {
  return word === '-' ? null : word
}

/** Where MSG begins after STRUCTURED-DATA at `at`; null: it is none. What elements say is of no use here. */
function endOfData(text: string, at: number): number | null {
  if (at >= text.length) return at
  let end = at
  if (text[at] === '-') end = at + 1
  else {
    while (text[end] === '[') {
      const close = endOfElement(text, end)
      if (close === null) return null
      end = close
    }
    if (end === at) return null
  }
  if (end === text.length) return end
  return text[end] === ' ' ? end + 1 : null
}

function endOfElement(text: string, at: number): number | null {
  let quoted = false
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) quoted = !quoted
    else if (code === 0x5c && quoted) i++
    else if (code === 0x5d && !quoted) return i + 1
  }
  return null
}

const isoTime = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):?(\d\d))$/

/** RFC 3339, as RFC 5424 has it; null: it is none. */
function timeOf(text: string): number | null {
  const parts = isoTime.exec(text)
  if (parts === null) return null
  const [, year, month, day, hour, minute, second, fraction = '', sign = '+', hours = '0', minutes = '0'] = parts
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -60_000 : 60_000)
  const time = utc(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  if (time === null) return null
  const exact = time + Number(fraction.padEnd(3, '0').slice(0, 3)) - offset
  return isTime(exact) ? exact : null
}

/** Null for a day or hour that there is not. A leap second, which RFC 5424 forbids and some send, is the one before. */
function utc(year: number, month: number, day: number, hour: number, minute: number, second: number): number | null {
  if (hour > 23 || minute > 59 || second > 60) return null
  const time = Date.UTC(year, month, day, hour, minute, Math.min(second, 59))
  const date = new Date(time)
  return date.getUTCMonth() === month && date.getUTCDate() === day ? time : null
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `Oct 18 20:29:38`, with a year before or after the time at some senders, and fractions of a second. */
const oldTime = /^([A-Z][a-z]{2}) {1,2}(\d{1,2})(?: (\d{4}))? (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?: (\d{4})(?= ))?:? /

/** `web[12]: `, `web: `: a tag, which ends the header. */
const tagAndText = /^([^\s[\]:]{1,255})(?:\[([^\]\s]{0,255})\])?:(?: |$)/

/**
 * TIMESTAMP SP HOSTNAME SP TAG: MSG, of which any may be missing: `logger` of busybox leaves out the host, others the time;
 * rsyslog and syslog-ng write the time of RFC 3339. What has only a priority is a text without a sender's name (section 4.3.2).
 */
function decodeOld(rest: string, now: number): Body {
  let left = rest
  let time: number | null = null
  const old = oldTime.exec(left)
  if (old !== null) {
    time = oldTimeOf(old, now)
    if (time !== null) left = left.slice(old[0].length)
  } else {
    const word = /^(\d{4}-\S{1,60}) /.exec(left)
    time = word === null ? null : timeOf(word[1]!)
    if (time !== null) left = left.slice(word![0].length)
  }
  let hostname: string | null = null
  let tag = tagAndText.exec(left)
  if (tag === null && time !== null) {
    // A host's name has no colon at its end, unless it is an address of IPv6, which no tag can be.
    const host = /^([^\s[\]]{1,255}) /.exec(left)
    if (host !== null) {
      hostname = host[1]!
      left = left.slice(host[0].length)
      tag = tagAndText.exec(left)
    }
  }
  const names = { hostname, appName: tag?.[1] ?? null, procId: tag?.[2] || null, msgId: null }
  return { kind: 'rfc3164', time, ...names, text: tag === null ? left : left.slice(tag[0].length) }
}

/** Without a zone it is UTC; without a year, the year that brings it nearest to now. */
function oldTimeOf(parts: RegExpExecArray, now: number): number | null {
  const [, name = '', day, before, hour, minute, second, fraction = '', after] = parts
  const month = months.indexOf(name)
  if (month < 0) return null
  const given = before ?? after
  const thisYear = new Date(now).getUTCFullYear()
  const years = given === undefined ? [thisYear, thisYear - 1, thisYear + 1] : [Number(given)]
  let nearest: number | null = null
  for (const year of years) {
    const time = utc(year, month, Number(day), Number(hour), Number(minute), Number(second))
    if (time !== null && (nearest === null || Math.abs(time - now) < Math.abs(nearest - now))) nearest = time
  }
  const exact = nearest === null ? null : nearest + Number(fraction.padEnd(3, '0').slice(0, 3))
  return exact !== null && isTime(exact) ? exact : null
}
