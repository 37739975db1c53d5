// A router in front of two tenants' manifests, for what asks its admin port: `shop` has shop.example.com, `zoo` wants it too.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { KubeObject } from '#kube/types.ts'
import { startManifestRouter } from './manifest-router.ts'
import { app, slice } from './world-stage.ts'

export interface TenantRoutes extends AsyncDisposable {
  readonly admin: string
  readonly httpPort: number
}

/** `more`: other objects that are there. */
export async function startTenantRoutes(...more: readonly KubeObject[]): Promise<TenantRoutes> {
  const directory = await mkdtemp(join(tmpdir(), 'tenants-'))
  const objects = [
    app('shop/shop', { domains: 'shop.example.com', whitelist: '10.0.0.0/8' }),
    slice('shop/shop', '', 5000, '127.0.0.1'),
    app('zoo/zoo', { domains: 'zoo.example.com,shop.example.com' }),
    slice('zoo/zoo', '', 5000, '127.0.0.1'),
    ...more,
  ]
  await writeFile(join(directory, 'all.yaml'), objects.map(object => stringify(object)).join('---\n'))
  const site = await startManifestRouter(directory)
  return {
    admin: `http://127.0.0.1:${site.router.adminPort}`,
    httpPort: site.httpPort,
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    },
  }
}
