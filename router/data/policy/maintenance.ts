// The maintenance page (contract section 9): 503 for every method and path of an app under maintenance.

import type { Answer } from '../answer.ts'

export const maintenance: Answer = {
  status: 503,
  body: '<!DOCTYPE html>\n<title>Site Maintenance</title>\n',
  contentType: 'text/html',
  location: '',
  retryAfter: 0,
  requestIds: false,
  admitted: false,
}
