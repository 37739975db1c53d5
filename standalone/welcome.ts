// What `npm start` prints when everything is up.

import { fileURLToPath } from 'node:url'
import { ownHost, platformDomain } from './names.ts'
import type { PlatformPorts } from './platform.ts'

const ownRoot = fileURLToPath(new URL('..', import.meta.url))

export interface Welcomed {
  readonly ports: PlatformPorts
  /** IP address that these listen on. */
  readonly address: string
  /** Who had one has been here before. */
  readonly hasAdministrator: boolean
}

/** `root`: of the checkout, with a slash at its end. */
export function welcome({ ports, address, hasAdministrator }: Welcomed, root = ownRoot): string {
  const { http, https, builder, admin } = ports
  const port = http === 80 ? '' : `:${http}`
  const controller = `http://deis.${platformDomain}${port}`
  const apps = `http://APP.${platformDomain}${port}`
  const moved = builder === 2222 ? '' : `export DEIS_BUILDER_PORT=${builder}; `
  // The shell reads what an alias stands for once more: a word of it is quoted for both times.
  const alias = `alias deis=${quoted(quoted(`${root}cli/bin/deis.mjs`))}`
  const first = `\
Become the administrator, in another terminal:

  ${alias}
  ${moved}deis register ${controller}

Deploy an app, and open http://hello.${platformDomain}${port}:

  deis keys:add ~/.ssh/id_ed25519.pub
  cp -r ${quoted(`${root}examples/node-app`)} hello && cd hello && git init && git add . && git commit -m Hello
  deis create hello && git push deis HEAD:master`
  const again = `\
Log in, in another terminal; your apps are at ${apps}:

  ${alias}
  ${moved}deis login ${controller}
  deis apps`
  return `
Deis Workflow is up: ${controller}, apps at ${apps}
(HTTPS: ${https}, self-signed; git over SSH: ${builder}; router: http://${ownHost(address)}:${admin})
${everywhere.has(address) ? '' : elsewhere(address)}
${hasAdministrator ? again : first}

Ctrl-C stops everything; the next start goes on where it was.

`
}

/** At which names under `localhost` are answered. */
const everywhere: ReadonlySet<string> = new Set(['127.0.0.1', '::1', '0.0.0.0', '::'])

function elsewhere(address: string): string {
  return `Names under ${platformDomain} lead to this machine's 127.0.0.1, where nothing listens: it is at ${address} alone.
--address 0.0.0.0 listens everywhere.
`
}

/** As a word of a shell. */
function quoted(text: string): string {
  if (/^[\w./-]+$/.test(text)) return text
  // Easier to read where it will do.
  if (text.includes("'") && !/["$`\\!]/.test(text)) return `"${text}"`
  return `'${text.replaceAll("'", `'\\''`)}'`
}
