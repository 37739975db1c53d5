// etcd and the API server alone, which is all that tests of watches, permissions and status need: three seconds to start,
// no root, nothing outside a temporary directory. Pods never run and Namespaces are never finalised; see `node.ts`.

import { randomUUID } from 'node:crypto'
import { mkdirSync, symlinkSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { ApiClient, type Method } from './api-client.ts'
import { binary } from './binaries.ts'
import { run } from './command.ts'
import { type Credentials, credentialFiles, kubeconfigFile, writeCredentials, writeKubeconfig } from './credentials.ts'
import { Daemon, logTail } from './daemon.ts'
import { Guardian } from './guardian.ts'
import { ensurePackages } from './machine.ts'
import { hostAddress, serviceRange } from './node-site.ts'
import { poll } from './poll.ts'
import { sweep } from './sweep.ts'

// Relative to the cluster's directory. etcd takes a URL of this odd form only, and makes the socket in its directory.
const etcdSocket = 'etcd:0'

// One file, which looks at the name that it is called by.
const kubernetesPrograms = [
  'kubectl',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubelet',
] as const

export interface ControlPlaneOptions {
  /**
   * More flags of kube-apiserver, which win over ours: `--watch-cache=false`, `--min-request-timeout=5`,
   * `--audit-policy-file=…`. Relative paths start at the cluster's directory.
   */
  readonly apiServerFlags?: readonly string[]
  /** Users beside `admin`, each with their groups. RBAC gives them what a test binds to them. */
  readonly users?: Readonly<Record<string, readonly string[]>>
  /** Made by `start`, and removed by `stop`; without it, a directory in the temporary one. */
  readonly directory?: string
  /** Leave the cluster running when this process ends; `sweep` of the directory ends it. */
  readonly detached?: boolean
  /** Be reachable from pods too. */
  readonly servesPods?: boolean
}

interface Running {
  readonly credentials: Credentials
  readonly etcd: Daemon
  apiServer: Daemon
  readonly port: number
  readonly admin: ApiClient
}

export class ControlPlane {
  /** Where the cluster keeps its state: `log/NAME` and more. It is there between `start` and `stop`. */
  readonly directory: string
  readonly #options: ControlPlaneOptions
  #started = false
  #guardian: Guardian | null = null
  #running: Running | null = null
  readonly #clients: ApiClient[] = []

  constructor(options: ControlPlaneOptions = {}) {
    this.#options = options
    this.directory = options.directory ?? newDirectory()
  }

  /** Resolves when the API server is ready. Rejects, with nothing left behind, if it cannot become so. */
  async start(): Promise<void> {
    if (this.#started) throw new Error('this control plane was started already')
    const [kube] = await Promise.all([binary('kube'), ensurePackages(['etcd-server'])])
    // Not one that is there already: `stop` removes it with all that is in it.
    mkdirSync(this.directory, { mode: 0o700 })
    this.#started = true
    if (!this.#options.detached) this.#guardian = new Guardian(this.directory)
    try {
      await this.#launch(kube)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Ends all processes and removes the directory. Does nothing if there is nothing to end. */
  async stop(): Promise<void> {
    if (!this.#started) return
    this.#started = false
    this.#running = null
    await Promise.all(this.#clients.splice(0).map(client => client.close()))
    const guardian = this.#guardian
    this.#guardian = null
    if (guardian) await guardian.release()
    else await sweep(this.directory)
  }

  /** Kills the API server as a crash would. Watches break, etcd and its objects stay. */
  async killApiServer(): Promise<void> {
    await this.#state.apiServer.kill()
  }

  /** Starts the API server again after `killApiServer`, at the same address; resolves when it is ready. */
  async startApiServer(): Promise<void> {
    const state = this.#state
    if (state.apiServer.running) throw new Error('the API server is running')
    state.apiServer = this.#apiServer(state.port)
    await ready(state.admin, [state.etcd, state.apiServer])
  }

  /**
   * Has etcd forget all but the present revision, so that lists and watches from before are answered with 410 Gone. The
   * API server goes on answering from its own memory as far back as that goes: start it with `--watch-cache=false`, or
   * kill it and start it again, for tests that need the 410.
   */
  async compact(): Promise<void> {
    const agent = new Agent({ connect: { socketPath: join(this.directory, etcdSocket) } })
    const call = async (path: string, body: object) => {
      const answer = await request(`http://etcd${path}`, {
        dispatcher: agent,
        method: 'POST',
        body: JSON.stringify(body),
      })
      const text = await answer.body.text()
      if (answer.statusCode !== 200) throw new Error(`etcd answered ${answer.statusCode} to ${path}: ${text}`)
      return JSON.parse(text) as { header: { revision: string } }
    }
    try {
      const { header } = await call('/v3/kv/range', { key: 'AA==', limit: 1 })
      await call('/v3/kv/compaction', { revision: header.revision, physical: true })
    } finally {
      await agent.close()
    }
  }

  /** The path of a kubeconfig for `admin` or one of `options.users`. */
  kubeconfig(user = 'admin'): string {
    const { tokens } = this.#state.credentials
    if (!tokens.has(user)) throw new Error(`no user ${user}; there are ${[...tokens.keys()].join(', ')}`)
    return kubeconfigFile(this.directory, user)
  }

  /** The path of a new kubeconfig with a token of an existing service account, good for an hour. */
  async serviceAccountKubeconfig(namespace: string, name: string): Promise<string> {
    const token = await this.serviceAccountToken(namespace, name)
    return writeKubeconfig(this.directory, `serviceaccount.${namespace}.${name}`, this.url, this.ca, token)
  }

  /** A token of an existing service account, good for an hour, as a pod of it would have. */
  async serviceAccountToken(namespace: string, name: string): Promise<string> {
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } }
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`
    const answer = await this.request<{ status: { token: string } }>('POST', path, review)
    return answer.status.token
  }

  /** One call as admin; see `ApiClient.request`. */
  request<T = unknown>(method: Method, path: string, body?: unknown, contentType?: string): Promise<T> {
    return this.#state.admin.request<T>(method, path, body, contentType)
  }

  /** A client with this token; without one, as admin. `stop` closes it. */
  client(token?: string): ApiClient {
    if (token === undefined) return this.#state.admin
    const client = new ApiClient(this.url, this.ca, token)
    this.#clients.push(client)
    return client
  }

  /** Runs kubectl as admin and gives what it printed. `input` is for `-f -`. */
  kubectl(args: readonly string[], input?: string): Promise<string> {
    const env = { KUBECONFIG: this.kubeconfig(), KUBECACHEDIR: join(this.directory, 'kubectl-cache') }
    return run(join(this.directory, 'bin/kubectl'), args, { env, input })
  }

  /** `https://127.0.0.1:PORT` */
  get url(): string {
    return `https://127.0.0.1:${this.#state.port}`
  }

  /** PEM: what signed the API server's certificate. */
  get ca(): string {
    return this.#state.credentials.ca
  }

  get #state(): Running {
    if (!this.#running) throw new Error('this control plane is not running')
    return this.#running
  }

  async #launch(kube: string): Promise<void> {
    const { directory } = this
    mkdirSync(join(directory, 'bin'))
    for (const program of kubernetesPrograms) symlinkSync(kube, join(directory, 'bin', program))
    const users = { admin: ['system:masters'], ...this.#options.users }
    const credentials = await writeCredentials(directory, users)
    const etcd = startEtcd(directory)
    for (let attempt = 1; ; attempt++) {
      const port = await freePort('127.0.0.1')
      const apiServer = this.#apiServer(port)
      const url = `https://127.0.0.1:${port}`
      const admin = new ApiClient(url, credentials.ca, credentials.tokens.get('admin') ?? '')
      this.#clients.push(admin)
      try {
        await ready(admin, [etcd, apiServer])
      } catch (error) {
        const taken = !apiServer.running && logTail(directory, apiServer.name).includes('address already in use')
        if (taken && attempt < 3) continue
        throw error
      }
      for (const [user, token] of credentials.tokens) writeKubeconfig(directory, user, url, credentials.ca, token)
      this.#running = { credentials, etcd, apiServer, port, admin }
      return
    }
  }

  #apiServer(port: number): Daemon {
    const { directory } = this
    const { apiServerFlags = [], servesPods = false } = this.#options
    const { apiServer, kubeletClient, serviceAccountKey, tokens } = credentialFiles
    // With nobody to reach it from, the API server need not publish its address, which could not be a loopback one.
    const reach = servesPods
      ? ['--bind-address=0.0.0.0', `--advertise-address=${hostAddress}`]
      : ['--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', '--endpoint-reconciler-type=none']
    return new Daemon({
      directory,
      name: 'kube-apiserver',
      command: join(directory, 'bin/kube-apiserver'),
      args: [
        `--etcd-servers=unix://${join(directory, etcdSocket)}`,
        `--secure-port=${port}`,
        ...reach,
        '--cert-dir=certs',
        `--tls-cert-file=${apiServer.certificate}`,
        `--tls-private-key-file=${apiServer.key}`,
        `--kubelet-client-certificate=${kubeletClient.certificate}`,
        `--kubelet-client-key=${kubeletClient.key}`,
        '--kubelet-preferred-address-types=InternalIP',
        `--service-cluster-ip-range=${serviceRange}`,
        `--service-account-key-file=${serviceAccountKey}`,
        `--service-account-signing-key-file=${serviceAccountKey}`,
        '--service-account-issuer=https://kubernetes.default.svc',
        `--token-auth-file=${tokens}`,
        '--authorization-mode=Node,RBAC',
        '--allow-privileged',
        ...apiServerFlags,
      ],
    })
  }
}

function startEtcd(directory: string): Daemon {
  // The peer port is never used, so the kernel may choose it; clients come by a socket that only its owner can open.
  return new Daemon({
    directory,
    name: 'etcd',
    command: 'etcd',
    args: [
      '--data-dir=etcd',
      `--listen-client-urls=unix://${etcdSocket}`,
      `--advertise-client-urls=unix://${etcdSocket}`,
      '--listen-peer-urls=http://127.0.0.1:0',
      '--unsafe-no-fsync',
    ],
    env: process.arch === 'arm64' ? { ETCD_UNSUPPORTED_ARCH: 'arm64' } : {},
  })
}

async function ready(admin: ApiClient, daemons: readonly Daemon[]): Promise<void> {
  const over = Promise.race(daemons.map(daemon => daemon.failed))
  over.catch(() => {})
  await poll('ready API server', 120, () => admin.request('GET', '/readyz'), over)
  // Made a moment after the API server says that it is ready.
  await poll('default namespace', 30, () => admin.request('GET', '/api/v1/namespaces/default'), over)
}

/** The path of a directory that nobody has yet. */
export function newDirectory(): string {
  return join(tmpdir(), `deis-cluster-${randomUUID().slice(0, 8)}`)
}

/** A port of `address` that was free just now. */
export async function freePort(address: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.on('error', reject)
  server.listen(0, address, () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resolve(port))
  })
  return promise
}
