// The platform beside a real Kubernetes of one node: controller and router as processes of this machine, each as its own
// service account with the permissions that a chart would give it, and a PostgreSQL.

import { join } from 'node:path'
import { type ApiReply, ControllerProcess } from '#test/support/controller-process.ts'
import { type PostgresDatabase, PostgresServer } from '#test/support/postgres.ts'
import { RouterProcess } from '#test/support/router-process.ts'
import { NodeRuntime } from './node.ts'
import { routerPermissions } from './router-permissions.ts'

export class Platform {
  readonly node = new NodeRuntime()
  readonly api = this.node.controlPlane
  #postgres: PostgresServer | null = null
  #database: PostgresDatabase | null = null
  #kubeconfig = ''
  #controller: ControllerProcess | null = null
  #router: RouterProcess | null = null
  #ports = { http: 0, https: 0 }
  #token = ''

  get controller(): ControllerProcess {
    return this.#controller!
  }

  /** Of the router. */
  get httpPort(): number {
    return this.#ports.http
  }

  get httpsPort(): number {
    return this.#ports.https
  }

  /** With an administrator, `alice`. */
  async start(): Promise<void> {
    const { api, node } = this
    this.#postgres = await PostgresServer.start()
    this.#database = await this.#postgres.createDatabase()
    await node.start()
    await api.request('POST', '/api/v1/namespaces', { metadata: { name: 'deis' } })
    await api.request('POST', '/api/v1/namespaces/deis/serviceaccounts', { metadata: { name: 'deis-controller' } })
    await api.kubectl(['apply', '-f', join(import.meta.dirname, '../../examples/cluster/controller-role.yaml')])
    await api.kubectl(['apply', '-f', '-'], await routerPermissions())
    this.#kubeconfig = await api.serviceAccountKubeconfig('deis', 'deis-controller')
    this.#router = new RouterProcess(['--kubeconfig', await api.serviceAccountKubeconfig('deis', 'deis-router')])
    this.#ports = await this.#router.ready()
    this.#token = await this.startController().user('alice')
  }

  /** Another one on the same state: the one before has ended. */
  startController(): ControllerProcess {
    const { host, port, user, database } = this.#database!
    this.#controller = new ControllerProcess(['--kubeconfig', this.#kubeconfig], {
      DEIS_DATABASE_SERVICE_HOST: host,
      DEIS_DATABASE_SERVICE_PORT: String(port),
      DEIS_DATABASE_USER: user,
      DEIS_DATABASE_NAME: database,
      IMAGE_PULL_POLICY: 'Never',
      DEIS_DEPLOY_TIMEOUT: '60',
      KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS: '2',
      PLATFORM_DOMAIN: 'apps.test',
    })
    return this.#controller
  }

  /** As alice; `path` is below `/v2`. */
  call(method: string, path: string, body?: unknown): Promise<ApiReply> {
    return this.controller.call(method, `/v2${path}`, this.#token, body)
  }

  async stop(): Promise<void> {
    await this.#controller?.[Symbol.asyncDispose]()
    await this.#router?.[Symbol.asyncDispose]()
    await this.#postgres?.[Symbol.asyncDispose]()
    await this.node.stop()
  }
}
