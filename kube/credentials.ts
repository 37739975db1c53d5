// Who we are to the API server: a token, a password, a token file that rotates, or what an exec plugin or an OpenID
// Connect provider hands out. Certificates of a kubeconfig are TLS material and live in kubeconfig.ts.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { User } from '@kubernetes/client-node/dist/config_types.js'
import { TransportError } from './errors.ts'

export interface Credential {
  /** Value of the Authorization field; null for none. */
  readonly authorization: string | null
  /** Client certificate and key as PEM, when the plugin issues them. */
  readonly cert: string | null
  readonly key: string | null
}

export interface Credentials {
  /** What to send with the next request. Throws a TransportError when there is nothing to send yet. */
  current(): Promise<Credential>
  /** The API server answered 401 to this one: ask again at the source before the next request, if that may help. */
  refused(credential: Credential): void
}

/** A refusal within this time of the last look at the source brings no new look: the same answer would come. */
const refusalInterval = 10_000
/** A token file is read again after this time; the kubelet rewrites it some 20 % of its life before it expires. */
const tokenFileInterval = 10_000
/** How long a failed exec plugin is not run again: hundreds of watches may ask at once. */
const execRetryInterval = 5_000
const execTimeout = 30_000

export function fixedCredentials(authorization: string | null): Credentials {
  const credential: Credential = { authorization, cert: null, key: null }
  return { current: () => Promise.resolve(credential), refused: () => {} }
}

/** The bearer token in a file, read again every 10 s and after a 401. A file that vanishes leaves the last token. */
export function tokenFileCredentials(file: string, now: () => number): Credentials {
  let authorization: string | null = null
  let readAt = Number.NEGATIVE_INFINITY
  return {
    async current() {
      if (authorization === null || now() - readAt >= tokenFileInterval) {
        try {
          const token = readFileSync(file, 'utf8').trim()
          if (token === '') throw new Error('it is empty')
          authorization = `Bearer ${token}`
          readAt = now()
        } catch (error) {
          if (authorization === null) {
            throw new TransportError(`cannot read the token file ${file}: ${messageOf(error)}`, { unprocessed: true })
          }
        }
      }
      return { authorization, cert: null, key: null }
    },
    refused(credential) {
      if (credential.authorization === authorization) readAt = Number.NEGATIVE_INFINITY
    },
  }
}

/** What Kubernetes' own clients tell a plugin about its task (client-go credential plugins, `KUBERNETES_EXEC_INFO`). */
export interface ExecInfo {
  readonly server: string
  readonly 'certificate-authority-data'?: string
  readonly 'insecure-skip-tls-verify'?: boolean
  readonly 'tls-server-name'?: string
}

/** The answer of a kubeconfig's `exec` plugin, kept until it expires or is refused. The plugin has 30 s. */
export function execCredentials(user: User, cluster: ExecInfo, now: () => number): Credentials {
  const withInfo = withExecInfo(user, cluster)
  return pluginCredentials(
    `exec plugin ${user.exec?.command}`,
    now,
    async () => {
      const { ExecAuth } = await import('@kubernetes/client-node/dist/exec_auth.js')
      const plugin = new ExecAuth()
      // The library spawns without a limit in time; its field for the spawning function is private only in its types.
      Object.assign(plugin, {
        execFn: (command: string, args: string[], options: object) =>
          spawn(command, args, { ...options, timeout: execTimeout, killSignal: 'SIGKILL' }),
      })
      return plugin
    },
    withInfo,
  )
}

/** The ID token of a kubeconfig's `oidc` provider, refreshed when it expires. */
export function oidcCredentials(user: User, now: () => number): Credentials {
  return pluginCredentials(
    'OpenID Connect provider',
    now,
    async () => {
      // A quarter of a second and 80 MB, so only for those who use it.
      const { OpenIDConnectAuth } = await import('@kubernetes/client-node/dist/oidc_auth.js')
      return new OpenIDConnectAuth()
    },
    user,
  )
}

interface Authenticator {
  applyAuthentication(user: User, options: Answer): Promise<void>
}

/** Fields of https.RequestOptions that the library's authenticators fill in. */
interface Answer {
  headers: Record<string, string>
  cert?: string
  key?: string
}

/** Asks one authenticator, one question at a time however many wait for its answer. It keeps its own cache. */
function pluginCredentials(
  what: string,
  now: () => number,
  make: () => Promise<Authenticator>,
  user: User,
): Credentials {
  let plugin: Promise<Authenticator> | null = null
  let madeAt = 0
  let asking: Promise<Credential> | null = null
  let last: Credential | null = null
  let failure: { readonly error: TransportError; readonly at: number } | null = null

  async function ask(): Promise<Credential> {
    if (failure !== null && now() - failure.at < execRetryInterval) throw failure.error
    if (plugin === null) {
      plugin = make()
      madeAt = now()
    }
    try {
      const answer: Answer = { headers: {} }
      await (await plugin).applyAuthentication(user, answer)
      failure = null
      last = {
        authorization: answer.headers.Authorization ?? null,
        cert: answer.cert ?? null,
        key: answer.key ?? null,
      }
      return last
    } catch (error) {
      failure = { error: new TransportError(`${what}: ${pluginMessage(error)}`, { unprocessed: true }), at: now() }
      throw failure.error
    }
  }

  return {
    current() {
      asking ??= ask().finally(() => {
        asking = null
      })
      return asking
    },
    refused(credential) {
      const current = credential.authorization === last?.authorization && credential.cert === last.cert
      if (current && now() - madeAt >= refusalInterval) plugin = null
    },
  }
}

function withExecInfo(user: User, cluster: ExecInfo): User {
  const exec = user.exec
  const info = {
    apiVersion: exec.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(exec.provideClusterInfo === true ? { cluster } : {}) },
  }
  const env = [...(exec.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }]
  return { ...user, exec: { ...exec, env } }
}

/** One line. A SyntaxError is about the plugin's output and would quote it, token and all. */
function pluginMessage(error: unknown): string {
  if (error instanceof SyntaxError) return 'its output is not an ExecCredential'
  const line = messageOf(error)
    .split('\n')
    .find(text => text.trim() !== '')
  return line === undefined ? 'failed and did not say why' : line.trim().slice(0, 200)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
