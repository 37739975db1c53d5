// Our router as a process of its own, started as an operator would.

import { existsSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { routerNamespace } from './manifests.ts'
import { freePorts } from './ports.ts'
import type { Running, Workbench } from './workbench.ts'

export interface RouterOptions {
  readonly routes:
    | { readonly kind: 'manifests'; readonly directory: string }
    | { readonly kind: 'kubeconfig'; readonly file: string }
  readonly workers: number
  readonly cpu?: number | null
  readonly env?: Readonly<Record<string, string>>
  /** Further flags. */
  readonly flags?: readonly string[]
}

/** A router that is ready. Its access log is the output of the process. */
export interface RouterProcess {
  readonly running: Running
  readonly httpPort: number
  readonly httpsPort: number
  readonly adminPort: number
}

const root = join(import.meta.dirname, '..', '..')
const main = join(root, 'router', 'main.ts')

/** Why the router cannot be started from this tree; null when it can. */
export function routerAbsence(): string | null {
  return existsSync(main) ? null : 'router/main.ts is not in this tree'
}

/** The Node that the lockfile pins, whatever runs the bench. */
export function pinnedNode(): string {
  const pinned = join(root, 'node_modules', '.bin', 'node')
  return existsSync(pinned) ? pinned : process.execPath
}

/** Starts the router and waits until `GET /healthz` on its admin port answers 200. */
export async function startRouter(bench: Workbench, options: RouterOptions): Promise<RouterProcess> {
  const [httpPort, httpsPort, adminPort] = (await freePorts(3)) as [number, number, number]
  const { routes } = options
  const source = routes.kind === 'manifests' ? ['--manifests', routes.directory] : ['--kubeconfig', routes.file]
  const ports = Object.entries({ http: httpPort, https: httpsPort, admin: adminPort, builder: 0 })
  const running = await bench.start({
    name: 'router',
    program: pinnedNode(),
    args: [
      main,
      ...source,
      ...ports.flatMap(([name, port]) => [`--${name}-port`, String(port)]),
      ...['--workers', String(options.workers), '--address', '127.0.0.1'],
      ...(options.flags ?? []),
    ],
    env: { POD_NAMESPACE: routerNamespace, ...options.env },
    cpu: options.cpu ?? null,
    directory: root,
  })
  await bench.untilReady(running, async () => (await status(adminPort, '/healthz')) === 200, 60_000)
  return { running, httpPort, httpsPort, adminPort }
}

function status(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: 2_000 }, response => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject)
    request.on('timeout', () => request.destroy(new Error('no answer in 2 s')))
  })
}
