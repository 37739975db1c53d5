// The redirect of plain HTTP to HTTPS (contract section 8): 301 for every method, host without port, target untouched.

import type { Answer } from '../answer.ts'
import { errorPage } from '../rescue.ts'

/** `target` is path and query as sent. */
export function enforceHttps(scheme: 'http' | 'ws', host: string, target: string): Answer {
  const secure = scheme === 'ws' ? 'wss' : 'https'
  return {
    status: 301,
    body: errorPage(301),
    contentType: 'text/html',
    location: `${secure}://${host}${target}`,
    retryAfter: 0,
    requestIds: true,
    admitted: false,
  }
}
