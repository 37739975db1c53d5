// A line as it stands in a file: `TIME PROCESS TEXT`, time in milliseconds, `-` for no process. App and source are told by where the
// file is. Pure.

import { isLogName, isTime, type LogLine, type LogSource } from '../line.ts'

/** With its line end. */
export function recordOf({ time, process, text }: LogLine): string {
  return `${time} ${process ?? '-'} ${text}\n`
}

/** `record` is without its line end. Null: it is none, as what a file system leaves behind after a power cut. */
export function parseRecord(record: string, app: string, source: LogSource): LogLine | null {
  const first = record.indexOf(' ')
  const second = record.indexOf(' ', first + 1)
  if (first < 1 || first > 15 || second < 0) return null
  const digits = record.slice(0, first)
  const time = Number(digits)
  if (!/^\d+$/.test(digits) || !isTime(time)) return null
  const process = record.slice(first + 1, second)
  return { app, source, process: process === '-' ? null : process, time, text: record.slice(second + 1) }
}

/** Of the app's directory. An app's id stands for itself; of addresses colons are written otherwise. */
export function directoryName(app: string): string {
  return encodeURIComponent(app)
}

/** Null: it is none of ours. */
export function appOfDirectory(name: string): string | null {
  const app = name.replaceAll('%3A', ':')
  return isLogName(app) && directoryName(app) === name ? app : null
}

/** Of a segment. */
export function segmentName(source: LogSource, number: number): string {
  return `${source}.${String(number).padStart(9, '0')}.log`
}

/** Null: it is none of ours. */
export function segmentOf(name: string): { readonly source: LogSource; readonly number: number } | null {
  const match = /^(app|controller|router)\.(\d{9,15})\.log$/.exec(name)
  return match === null ? null : { source: match[1] as LogSource, number: Number(match[2]) }
}
