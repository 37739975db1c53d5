// Where the API server is and how to be let in: from a kubeconfig file, or from the service account of our pod.
//
// Of @kubernetes/client-node we load single files, never its index (265 ms, 85 MB) nor its KubeConfig class, which
// imports every generated model (250 ms, 83 MB; measured with Node 26 on 2 cores). The reader of clusters, contexts
// and users below costs 3 ms, the exec plugin as much and only where one is used. Its KubeConfig also reads a token
// of `tokenFile` never and builds a new connection pool for each request; both are done here.

import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { dirname, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Cluster, User } from '@kubernetes/client-node/dist/config_types.js'
import { exitCode, StartupError } from '#kit/exit.ts'
import {
  type Credentials,
  type ExecInfo,
  execCredentials,
  fixedCredentials,
  oidcCredentials,
  tokenFileCredentials,
} from './credentials.ts'

/** A kubeconfig, or the service account in its place, that is missing, unreadable or wrong. One line, names the file. */
export class KubeconfigError extends StartupError {
  constructor(message: string, options?: ErrorOptions) {
    super(exitCode.usage, message, options)
    this.name = 'KubeconfigError'
  }
}

/** PEM; what is absent is left to Node's defaults. */
export interface TlsMaterial {
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly servername?: string
  readonly rejectUnauthorized: boolean
}

export interface ClusterAccess {
  /** http or https; its path, if any, comes before every request's. */
  readonly server: URL
  /** Namespace of the context or of the pod; null when it names none. */
  readonly namespace: string | null
  readonly credentials: Credentials
  /** `Impersonate-*` fields of the kubeconfig, to go with every request. */
  readonly headers: Readonly<Record<string, string | string[]>>
  /** Read from its files anew each time: call it for each connection, certificates are renewed in place. */
  tls(): Promise<TlsMaterial>
}

export interface AccessOptions {
  readonly now?: () => number
}

/** The cluster and user of the file's current context. Throws a KubeconfigError. */
export async function loadKubeconfig(file: string, options: AccessOptions = {}): Promise<ClusterAccess> {
  const config = await parse(file)
  const fail = (message: string): KubeconfigError => new KubeconfigError(`kubeconfig ${file}: ${message}`)
  const directory = dirname(resolve(file))
  const path = (relative: string): string => resolve(directory, relative)

  const name = config['current-context']
  if (typeof name !== 'string' || name === '') throw fail('current-context is missing')
  const { newClusters, newContexts, newUsers } = await import('@kubernetes/client-node/dist/config_types.js')
  // The library's reader of users opens a file that is not in the kubeconfig format; hide that key from it.
  const users = entries(config.users)
  const plain = users.map(entry => ({ ...entry, user: { ...object(entry.user), 'token-file': undefined } }))
  const parsed = guard(fail, () => ({
    contexts: newContexts(config.contexts),
    clusters: newClusters(config.clusters),
    users: newUsers(plain),
  }))

  const context = parsed.contexts.find(entry => entry.name === name)
  if (context === undefined) throw fail(`there is no context ${JSON.stringify(name)}`)
  const cluster = parsed.clusters.find(entry => entry.name === context.cluster)
  if (cluster === undefined) throw fail(`there is no cluster ${JSON.stringify(context.cluster)}`)
  const user = parsed.users.find(entry => entry.name === context.user)
  if (user === undefined && context.user) throw fail(`there is no user ${JSON.stringify(context.user)}`)
  if (cluster.proxyUrl) throw fail('proxy-url is not supported')
  const server = parseServer(cluster.server)
  if (server === null) throw fail(`server ${JSON.stringify(cluster.server)} is not an http or https URL`)

  const raw = object(users.find(entry => entry.name === context.user)?.user)
  const credentials = credentialsOf(user, raw, cluster, path, fail, options.now ?? Date.now)
  const access: ClusterAccess = {
    server,
    namespace: context.namespace ?? null,
    credentials,
    headers: impersonation(raw),
    async tls() {
      const issued = user?.exec ? await credentials.current() : null
      const [ca, cert, key] = await Promise.all([
        pem(cluster.caFile, cluster.caData, path),
        issued?.cert ?? pem(user?.certFile, user?.certData, path),
        issued?.key ?? pem(user?.keyFile, user?.keyData, path),
      ])
      return tlsMaterial(cluster, ca, cert, key)
    },
  }
  if (server.protocol === 'https:' && !user?.exec) await checkTls(access, fail)
  return access
}

export interface InClusterOptions extends AccessOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where the kubelet mounts the service account. */
  readonly directory?: string
}

/** The API server and service account of the pod that we run in. Throws a KubeconfigError outside a pod. */
export async function inClusterAccess(options: InClusterOptions = {}): Promise<ClusterAccess> {
  const env = options.env ?? process.env
  const directory = options.directory ?? '/var/run/secrets/kubernetes.io/serviceaccount'
  const fail = (message: string): KubeconfigError => new KubeconfigError(`service account ${directory}: ${message}`)
  const host = env.KUBERNETES_SERVICE_HOST
  const port = env.KUBERNETES_SERVICE_PORT
  if (!host || !port) {
    throw new KubeconfigError('not in a pod (KUBERNETES_SERVICE_HOST is not set): name a kubeconfig file')
  }
  const server = parseServer(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`)
  if (server === null) throw fail(`KUBERNETES_SERVICE_HOST and _PORT make no URL: ${host} ${port}`)
  const tokenFile = `${directory}/token`
  if (!existsSync(tokenFile)) throw fail('there is no token: is automountServiceAccountToken off?')
  const access: ClusterAccess = {
    server,
    namespace: readIfThere(`${directory}/namespace`),
    credentials: tokenFileCredentials(tokenFile, options.now ?? Date.now),
    headers: {},
    tls: async () => ({ ca: await readFile(`${directory}/ca.crt`), rejectUnauthorized: true }),
  }
  await checkTls(access, fail)
  return access
}

type Fail = (message: string) => KubeconfigError

async function parse(file: string): Promise<Record<string, unknown>> {
  const { parse: parseYaml } = await import('yaml')
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new KubeconfigError(`kubeconfig ${file}: cannot read it: ${messageOf(error)}`)
  }
  let config: unknown
  try {
    // prettyErrors would quote the line in question, which may be a token's.
    config = parseYaml(text, { prettyErrors: false, logLevel: 'error' })
  } catch {
    throw new KubeconfigError(`kubeconfig ${file}: it is not YAML`)
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new KubeconfigError(`kubeconfig ${file}: it is not a kubeconfig`)
  }
  return { ...config }
}

/** The order in which Kubernetes' own clients choose when a user has several. */
function credentialsOf(
  user: User | undefined,
  raw: Readonly<Record<string, unknown>>,
  cluster: Cluster,
  path: (relative: string) => string,
  fail: Fail,
  now: () => number,
): Credentials {
  if (user === undefined) return fixedCredentials(null)
  if (user.exec) {
    const command: unknown = user.exec.command
    if (typeof command !== 'string' || command === '') throw fail('exec.command of the user is missing')
    const resolved = command.includes('/') ? path(command) : command
    return execCredentials({ ...user, exec: { ...user.exec, command: resolved } }, execInfo(cluster, path), now)
  }
  if (user.authProvider) {
    if (user.authProvider.name === 'oidc') return oidcCredentials(user, now)
    throw fail(`auth-provider ${JSON.stringify(user.authProvider.name)} is gone from Kubernetes: use its exec plugin`)
  }
  if (typeof raw.tokenFile === 'string') return tokenFileCredentials(path(raw.tokenFile), now)
  if (user.token) return fixedCredentials(`Bearer ${user.token}`)
  if (user.username) {
    return fixedCredentials(`Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`)
  }
  return fixedCredentials(null)
}

function execInfo(cluster: Cluster, path: (relative: string) => string): ExecInfo {
  const ca = cluster.caFile ? readIfThere(path(cluster.caFile)) : null
  const caData = ca === null ? cluster.caData : Buffer.from(ca).toString('base64')
  return {
    server: cluster.server,
    ...(caData ? { 'certificate-authority-data': caData } : {}),
    ...(cluster.skipTLSVerify ? { 'insecure-skip-tls-verify': true } : {}),
    ...(cluster.tlsServerName ? { 'tls-server-name': cluster.tlsServerName } : {}),
  }
}

function impersonation(raw: Readonly<Record<string, unknown>>): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  if (typeof raw.as === 'string') headers['impersonate-user'] = raw.as
  if (typeof raw['as-uid'] === 'string') headers['impersonate-uid'] = raw['as-uid']
  const groups = raw['as-groups']
  if (Array.isArray(groups) && groups.length > 0) headers['impersonate-group'] = groups.map(String)
  for (const [key, values] of Object.entries(object(raw['as-user-extra']))) {
    if (Array.isArray(values))
      headers[`impersonate-extra-${encodeURIComponent(key.toLowerCase())}`] = values.map(String)
  }
  return headers
}

async function pem(
  file: string | undefined,
  data: string | undefined,
  path: (relative: string) => string,
): Promise<Buffer | null> {
  if (file) return readFile(path(file))
  return data ? Buffer.from(data, 'base64') : null
}

function tlsMaterial(
  cluster: Cluster,
  ca: string | Buffer | null,
  cert: string | Buffer | null,
  key: string | Buffer | null,
): TlsMaterial {
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(cluster.tlsServerName ? { servername: cluster.tlsServerName } : {}),
    rejectUnauthorized: !cluster.skipTLSVerify,
  }
}

/** A wrong certificate is told at the start, with the file's name, not at each connection. */
async function checkTls(access: ClusterAccess, fail: Fail): Promise<void> {
  let material: TlsMaterial
  try {
    material = await access.tls()
  } catch (error) {
    throw fail(`cannot read a certificate or key: ${messageOf(error)}`)
  }
  guard(
    message => fail(`a certificate or key is not usable: ${message}`),
    () => {
      createSecureContext({ ca: material.ca, cert: material.cert, key: material.key })
      // OpenSSL takes a CA file without a certificate in it for an empty list, and then trusts nobody.
      if (material.ca !== undefined) new X509Certificate(material.ca)
    },
  )
}

function guard<R>(fail: Fail, action: () => R): R {
  try {
    return action()
  } catch (error) {
    throw fail(messageOf(error))
  }
}

function parseServer(text: string): URL | null {
  const url = URL.parse(text)
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') ? url : null
}

function readIfThere(file: string): string | null {
  try {
    const text = readFileSync(file, 'utf8').trim()
    return text === '' ? null : text
  } catch {
    return null
  }
}

function entries(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(object) : []
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
