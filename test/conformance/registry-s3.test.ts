// The registry's own suite, with its blobs on a server of the S3 API that somebody else wrote.

import { afterAll, beforeAll } from 'vitest'
import { RegistryStage } from '#test/support/registry-stage.ts'
import { registrySuite } from '#test/support/registry-suite.ts'
import { S3Server } from './versitygw.ts'

let server: S3Server
let buckets = 0
beforeAll(async () => {
  server = await S3Server.start()
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

registrySuite(config => RegistryStage.start({ store: server.target(`registry-${++buckets}`), ...config }))
