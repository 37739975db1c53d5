// An answer that the router gives itself.

import { errorPage } from './rescue.ts'

export interface Answer {
  readonly status: number
  readonly body: string
  readonly contentType: string
  /** Empty: none. */
  readonly location: string
  /** Seconds after which it is worth another try; 0: nobody knows. */
  readonly retryAfter: number
  /** Whether it carries the request ids when these are on (contract section 12). */
  readonly requestIds: boolean
  /** Whether the request had got past the redirect to HTTPS (contract section 8, HSTS). */
  readonly admitted: boolean
}

export function errorAnswer(status: number, requestIds: boolean, admitted = false, retryAfter = 0): Answer {
  return { status, body: errorPage(status), contentType: 'text/html', location: '', retryAfter, requestIds, admitted }
}

/** `/healthz` of the default virtual host (contract section 9). */
export const healthy: Answer = {
  status: 200,
  body: '',
  contentType: 'text/plain',
  location: '',
  retryAfter: 0,
  requestIds: false,
  admitted: false,
}
