// Whose line a message is. What names an app by its APP-NAME, or as RFC 3164 does by its tag, is that app's; everything else is
// kept under the address that it came from, as whole as it came. Pure.

import { isAppId, isProcessName, type LogLine, type LogSource, logSources, oneLine } from './line.ts'
import type { MalformedMessage, SyslogMessage } from './syslog/decode.ts'

/** How far ahead of ours the clock of a sender may be, milliseconds: a line of tomorrow would stand last until then. */
const ahead = 3_600_000

/** `sender`: canonical address. `now`: when the message came. */
export function lineOf(message: SyslogMessage | MalformedMessage, sender: string, now: number): LogLine {
  if (message.kind === 'malformed')
    return { app: sender, source: 'app', process: null, time: now, text: oneLine(message.text) }
  const { appName, procId, msgId } = message
  const time = message.time === null || message.time > now + ahead ? now : message.time
  if (appName !== null && isAppId(appName)) {
    const source = sourceOf(msgId)
    const process = procId !== null && isProcessName(procId) ? procId : null
    return { app: appName, source, process, time, text: oneLine(message.text) }
  }
  const who = appName === null ? '' : `${appName}${procId === null ? '' : `[${procId}]`}: `
  return { app: sender, source: 'app', process: null, time, text: oneLine(who + message.text) }
}

function sourceOf(msgId: string | null): LogSource {
  return logSources.find(source => source === msgId) ?? 'app'
}
