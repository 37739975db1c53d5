// Whether requests must be encrypted.

import type { Commands } from '../command.ts'
import { change, look } from './setting.ts'

interface Tls {
  readonly https_enforced: boolean | null
}

export const commands: Commands = {
  info: look<Tls>("Prints info about the current application's TLS settings.", 'tls', ({ https_enforced }, app) => [
    `=== ${app} TLS`,
    `HTTPS Enforced: ${https_enforced ?? 'not set'}`,
  ]),
  enable: change(
    'Enable the router to enforce https-only requests to the current application.',
    'tls',
    'Enabling https-only requests for',
    {
      https_enforced: true,
    },
  ),
  disable: change(
    'Disable the router from enforcing https-only requests to the current application.',
    'tls',
    'Disabling https-only requests for',
    {
      https_enforced: false,
    },
  ),
}
