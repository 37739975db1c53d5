// The life of an app on one machine, with `npm start` as people start it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFailed, test } from 'vitest'
import { NpmStart } from '#test/support/npm-start.ts'
import { Life, steps } from './life.ts'
import { localSite } from './local-site.ts'

let directory: string
let platform: NpmStart
let life: Life
/** What comes after a step that went wrong says nothing. */
let failed = false

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'life-'))
  platform = new NpmStart(join(directory, 'data'))
  life = new Life(await localSite(await platform.ready(), join(directory, 'home')))
}, 60_000)

afterAll(async () => {
  await platform.stop()
  await rm(directory, { recursive: true })
})

for (const { name, run } of steps)
  test(name, async ({ skip }) => {
    skip(failed)
    onTestFailed(() => {
      failed = true
      process.stderr.write(platform.stderr)
    })
    await run(life)
  })
