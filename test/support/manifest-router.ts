// The router in this process, on a directory of manifests.

import { Writable } from 'node:stream'
import { configOf } from '#kit/command-line.ts'
import { createLogger } from '#kit/log.ts'
import { parseConfig } from '#router/config.ts'
import { type Router, startRouter } from '#router/router.ts'

export interface ManifestRouter extends AsyncDisposable {
  readonly router: Router
  readonly httpPort: number
  readonly httpsPort: number
}

export async function startManifestRouter(directory: string): Promise<ManifestRouter> {
  const config = configOf(parseConfig(['--manifests', directory], { POD_NAMESPACE: 'deis' }, ''))
  const ports = { httpPort: 0, httpsPort: 0, builderPort: 0, adminPort: 0 }
  const router = await startRouter(
    { ...config, ...ports, address: '127.0.0.1', workers: 1, drainTimeout: 0 },
    {
      log: createLogger({ level: 'error' }),
      accessLog: new Writable({ write: (_chunk, _encoding, done) => done() }),
      onFatal: error => {
        throw error
      },
      grace: 0,
      // The garbage here is the test runner's.
      onThreadsStarted: () => {},
    },
  )
  const { httpPort, httpsPort } = await router.ready
  return { router, httpPort, httpsPort, [Symbol.asyncDispose]: () => router.stop() }
}
