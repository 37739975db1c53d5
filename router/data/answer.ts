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
}

export function errorAnswer(status: number, requestIds: boolean): Answer {
  return { status, body: errorPage(status), contentType: 'text/html', location: '', requestIds }
}

/** `/healthz` of the default virtual host (contract section 9). */
export const healthy: Answer = { status: 200, body: '', contentType: 'text/plain', location: '', requestIds: false }
