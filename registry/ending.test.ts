// The end of a registry: nothing touches the store once it is closed.

import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { openStore } from '#store/open-store.ts'
import type { ObjectStore } from '#store/store.ts'
import { call, quietRegistry } from '#test/support/registry-stage.ts'
import { Registry } from './registry.ts'

test('what a request goes on with after its client is gone ends before the store is closed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'registry-end-'))
  const order: string[] = []
  const adding = Promise.withResolvers<void>()
  const disk = Promise.withResolvers<void>()
  const folder = await openStore({ kind: 'folder', directory })
  /** A folder whose disk takes its time over what was added to an upload. */
  const store = new Proxy(folder, {
    get(target, name: keyof ObjectStore) {
      if (name === 'appendUpload') {
        return async (...args: Parameters<ObjectStore['appendUpload']>) => {
          adding.resolve()
          const result = await target.appendUpload(...args).catch((error: unknown) => error as Error)
          await disk.promise
          order.push('added')
          if (result instanceof Error) throw result
          return result
        }
      }
      if (name === 'close') order.push('closed')
      const value = target[name]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const accessLines = new Writable({ write: (_chunk, _encoding, done) => done() })
  const log = createLogger({ level: 'fatal' })
  const registry = await Registry.start(quietRegistry, { log, store, accessLines })
  const location = (await call(registry.port, 'POST', '/v2/shop/blobs/uploads/')).headers.location!
  const headers = { 'content-type': 'application/octet-stream', 'content-length': 1_000_000 }
  const half = request({ port: registry.port, host: '127.0.0.1', method: 'PATCH', path: location, headers })
  half.on('error', () => {})
  half.write(Buffer.alloc(300_000))
  await adding.promise
  half.destroy()
  const stopped = registry.stop()
  setImmediate(disk.resolve)
  await stopped
  expect(order).toEqual(['added', 'closed'])
  await rm(directory, { recursive: true })
})
