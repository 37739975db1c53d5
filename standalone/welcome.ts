// What `npm start` prints when everything is up.

import { fileURLToPath } from 'node:url'
import { platformDomain } from './names.ts'
import type { PlatformPorts } from './platform.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

export function welcome({ http, https, builder, admin }: PlatformPorts): string {
  const port = http === 80 ? '' : `:${http}`
  const controller = `http://deis.${platformDomain}${port}`
  const moved = builder === 2222 ? '' : `export DEIS_BUILDER_PORT=${builder}; `
  return `
Deis Workflow is up: ${controller}, apps at http://APP.${platformDomain}${port}
(HTTPS: ${https}, self-signed; git over SSH: ${builder}; router: http://127.0.0.1:${admin})

Become the administrator, in another terminal:

  alias deis=${quoted(`${root}cli/bin/deis.mjs`)}
  ${moved}deis register ${controller}

Deploy an app, and open http://hello.${platformDomain}${port}:

  deis keys:add ~/.ssh/id_ed25519.pub
  cp -r ${quoted(`${root}examples/node-app`)} hello && cd hello && git init && git add . && git commit -m Hello
  deis create hello && git push deis HEAD:master

Ctrl-C stops everything; the next start goes on where it was.

`
}

/** As a word of a shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
