// An answer that the router gives itself.

import { errorPage } from './rescue.ts'

export interface Answer {
  readonly status: number
  readonly body: string
  readonly contentType: string
  /** Empty: none. */
  readonly location: string
  /** Whether it carries the request ids when these are on (contract section 12). */
  readonly requestIds: boolean
  /** Whether the request had got past the redirect to HTTPS (contract section 8, HSTS). */
  readonly admitted: boolean
}

export function errorAnswer(status: number, requestIds: boolean, admitted = false): Answer {
  return { status, body: errorPage(status), contentType: 'text/html', location: '', requestIds, admitted }
}

/** `/healthz` of the default virtual host (contract section 9). */
export const healthy: Answer = {
  status: 200,
  body: '',
  contentType: 'text/plain',
  location: '',
  requestIds: false,
  admitted: false,
}
