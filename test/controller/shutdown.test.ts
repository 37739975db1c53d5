// How the controller ends when it is asked to, with a deploy under way.

import { connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CrashSite } from '#test/support/crash-site.ts'

let site: CrashSite
beforeEach(async () => {
  site = await CrashSite.start(null)
})
afterEach(async () => {
  await site[Symbol.asyncDispose]()
})

/** A deploy that has begun: its release is made. */
async function deploying(): Promise<ReturnType<CrashSite['call']>[]> {
  const { controller } = site
  const before = controller.log.filter(({ message }) => message === 'build.create').length
  const answer = site.call('POST', '/v2/apps/steady/builds/', site.build())
  await controller.until('a deploy had begun', () =>
    controller.log.filter(({ message }) => message === 'build.create').length > before ? true : undefined,
  )
  // In a list, as a promise that is returned would be waited for.
  return [answer]
}

function isRefused(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1', () => resolve(false))
  socket.on('error', () => resolve(true))
  return promise.finally(() => socket.destroy())
}

test('SIGTERM: the port closes at once, the deploy under way is answered, exit code 0', async () => {
  const { controller } = site
  const port = await controller.port
  const [answer] = await deploying()
  let answered = false
  void answer!.then(() => {
    answered = true
  })
  controller.child.kill('SIGTERM')
  await site.logged('waiting for deploys and the like to end')
  expect([await isRefused(port), answered]).toEqual([true, false])
  expect((await answer!).status).toBe(201)
  expect(await controller.exited).toBe(0)
  await site.open()
  expect(await site.faults()).toEqual([])
})

test('a second SIGTERM ends it at once, and the next controller ends the deploy', async () => {
  const { controller } = site
  const [answer] = await deploying()
  const lost = answer!.catch(() => 'lost')
  controller.child.kill('SIGTERM')
  await site.logged('waiting for deploys and the like to end')
  controller.child.kill('SIGTERM')
  expect(await controller.exited).toBe(143)
  expect(await lost).toBe('lost')
  await site.open()
  expect(await site.faults()).toEqual([])
})

test('a deploy that takes longer than the drain timeout is answered with 503 and goes on in the next controller', async () => {
  site.controller.child.kill('SIGTERM')
  await site.controller.exited
  await site.open('--drain-timeout', '0')
  const { controller } = site
  const [answer] = await deploying()
  controller.child.kill('SIGTERM')
  expect(await answer).toMatchObject({
    status: 503,
    body: { detail: 'The controller is being restarted; the deploy goes on then.' },
  })
  expect(await controller.exited).toBe(0)
  await site.open()
  expect(await site.faults()).toEqual([])
  const { body } = await site.call('GET', '/v2/apps/steady/releases/')
  expect(body.results[0]).toMatchObject({ version: 4, failed: false })
})
