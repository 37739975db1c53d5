// A line as a message of syslog (RFC 5424). From collector to logger and from logger to log drains it is the same: APP-NAME is
// the app, PROCID the process, MSGID who wrote the line. Pure.

import { isTime, type LogLine } from '../line.ts'

/** Facility user, severity notice: 1 * 8 + 5. */
const priority = 13

/**
 * Without framing. `hostname`: of the machine that the line comes from. MSG is UTF-8 without a byte order mark, as everybody
 * sends it: receivers show the mark. An app's id may have 63 octets where the RFC has 48 for it; none is cut, as two could become
 * the same.
 */
export function encodeLine({ app, source, process, time, text }: LogLine, hostname: string): Buffer {
  const head = `<${priority}>1 ${timestampOf(time)} ${wordOf(hostname, 255)} ${wordOf(app, 63)}`
  return Buffer.from(`${head} ${process === null ? '-' : wordOf(process, 128)} ${source} - ${text}`)
}

let lastTime = Number.NaN
let lastTimestamp = ''

function timestampOf(time: number): string {
  if (time !== lastTime) {
    lastTime = time
    lastTimestamp = isTime(time) ? new Date(time).toISOString() : '-'
  }
  return lastTimestamp
}

/** PRINTUSASCII, or the nil value. */
function wordOf(text: string, most: number): string {
  return /^[!-~]+$/.test(text) ? text.slice(0, most) : text.replace(/[^!-~]/g, '').slice(0, most) || '-'
}
