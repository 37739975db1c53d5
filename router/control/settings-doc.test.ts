// docs/settings.md lists every key that is read, with its default where that is short.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { appKeys } from './app-settings.ts'
import { routerKeys } from './router-settings.ts'
import { upstreamKeys } from './upstream-settings.ts'

const text = readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8')

for (const key of [...routerKeys, ...appKeys, ...upstreamKeys])
  test(`${key} is documented`, () => {
    expect(text).toContain(`\`${key}\``)
  })
