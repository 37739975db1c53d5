// What every store promises (store.ts), whatever keeps it.

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Store } from './store.ts'
import { appSuite } from './suite/apps.ts'
import { domainSuite } from './suite/domains.ts'
import { idempotencySuite } from './suite/idempotency.ts'
import { lockSuite } from './suite/locks.ts'
import { refusalSuite } from './suite/refusals.ts'
import { releaseSuite } from './suite/releases.ts'
import type { SuiteOptions, SuiteStage } from './suite/stage.ts'
import { transactionSuite } from './suite/transactions.ts'
import { userSuite } from './suite/users.ts'

export interface StoreStage {
  /** Opens a store on a new, empty database. Whoever opens it closes it. */
  open(options?: SuiteOptions): Promise<Store>
}

export function storeSuite({ open }: StoreStage): void {
  let store: Store
  beforeAll(async () => {
    store = await open()
  })
  afterAll(() => store?.close())

  const stage: SuiteStage = {
    get store() {
      return store
    },
    async empty(work, options = {}) {
      const own = await open(options)
      try {
        return await work(own)
      } finally {
        await own.close()
      }
    },
  }

  userSuite(stage)
  appSuite(stage)
  releaseSuite(stage)
  domainSuite(stage)
  refusalSuite(stage)
  idempotencySuite(stage)
  transactionSuite(stage)
  lockSuite(stage)

  test('ping, and the end', () =>
    stage.empty(async own => {
      await own.ping()
      await own.close()
      await expect(own.ping()).rejects.toThrow()
      await own.close()
    }))
}
