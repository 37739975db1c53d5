// `DEIS_LOG_DRAIN` of an app's config: where its log is sent besides being kept, `syslog+tls://logs.example.com:6514`. The
// logger decides which hosts it may be. Pure.

import { parseDrainUrl } from '#kit/drain-url.ts'

export const logDrainKey = 'DEIS_LOG_DRAIN'

/** What is wrong with it; null when nothing is. */
export function logDrainFault(text: string): string | null {
  const parsed = parseDrainUrl(text)
  return typeof parsed === 'string' ? `${logDrainKey}: ${parsed}` : null
}
