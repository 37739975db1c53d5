// Modules of Node that cost a start too much, for those who need them.
//
// `import 'node:http'` takes 65 ms of CPU, as it makes all its exports ready, a WebSocket client among them; `require`
// takes 5. TLS takes 25 ms either way, and many controllers are reached without.

import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export function http(): typeof import('node:http') {
  return require('node:http')
}

export function https(): typeof import('node:https') {
  return require('node:https')
}

export function tls(): typeof import('node:tls') {
  return require('node:tls')
}
