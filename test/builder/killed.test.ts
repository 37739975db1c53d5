// A builder that is killed in the middle of a build on this machine, and the one that is started after it (builder contract,
// section 5: a failed deploy leaves the ref unmoved).

import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { allProcesses, environmentOf } from '#kit/children/procfs.ts'
import { ended, knownPerson } from '#test/support/builder-stage.ts'
import { builderKey, ControllerStage } from '#test/support/controller-stage.ts'
import { example } from '#test/support/local-platform.ts'
import { startOwnRegistry } from '#test/support/own-registry.ts'
import { type ServiceProcess, startBuilder } from '#test/support/service-process.ts'

test('kill -9 during a build: nothing runs on, nothing half is left, the same commit can be pushed again', {
  timeout: 60_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'builder-killed-'))
  const place = (name: string): string => join(directory, name)
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const registry = stack.use(await startOwnRegistry())
  const controller = stack.use(await ControllerStage.start({ registry: registry.url }))
  const start = async (): Promise<ServiceProcess<{ readonly port: number }>> => {
    const things = ['--folder', place('store'), '--local', place('builds'), '--host-keys', place('host-keys')]
    const others = ['--controller', controller.url, '--registry', registry.url.href, '--work', place('work')]
    return stack.use(await startBuilder([...things, ...others], builderKey))
  }
  let builder = await start()
  const pushed = { builder: builder.up }
  const person = await knownPerson(pushed, controller, place('person'))
  const { token } = person
  await controller.app(token, 'shop')
  const repository = await person.repository(await example('node-app', 'server.js', 'package.json'))
  expect((await person.push(repository, 'shop')).code).toBe(0)
  const running = async () => {
    const { body } = await controller.call('GET', '/v2/apps/shop/pods/', { token })
    return body.results.map(({ name, state }: { name: string; state: string }) => [name, state])
  }
  const tags = async () => await (await fetch(new URL('/v2/shop/tags/list', registry.url))).json()
  const before = { running: await running(), tags: await tags() }
  expect(before.running).toEqual([[expect.stringMatching(/^shop-web-/), 'up']])

  // A child of a child, each in the build's group, until there is a file.
  const hang = `#!/bin/bash\n[ -e ${place('go')} ] && exit\nsleep 3600 &\necho 'now it hangs'\nsleep 3600\n`
  await person.commit(repository, { 'bin/pre-compile': hang })
  await chmod(join(repository, 'bin/pre-compile'), 0o755)
  const commit = await person.commit(repository, {})
  const pushing = person.startGit(repository, 'push', person.url('shop'), 'master')
  const hangs = Promise.withResolvers<void>()
  let said = ''
  pushing.stderr!.on('data', part => {
    said += part
    if (said.includes('now it hangs')) hangs.resolve()
  })
  const end = ended(pushing)
  await Promise.race([hangs.promise, end.then(({ err }) => Promise.reject(new Error(err)))])
  const ofBuild = (): readonly number[] =>
    allProcesses()
      .filter(({ pid, isZombie }) => !isZombie && environmentOf(pid).includes(`HOME=${homeOfBuild}`))
      .map(({ pid }) => pid)
  const [name] = await readdir(place('builds/builds'))
  const homeOfBuild = place(`builds/builds/${name}/home`)
  expect(ofBuild().length).toBeGreaterThan(1)
  await builder.end('SIGKILL')
  expect((await end).code).not.toBe(0)

  builder = await start()
  pushed.builder = builder.up
  expect(ofBuild()).toEqual([])
  expect(builder.said).toContainEqual(
    expect.objectContaining({ message: 'builds of a builder that was killed were ended' }),
  )
  expect(await readdir(place('builds/builds'))).toEqual([])
  expect({ running: await running(), tags: await tags() }).toEqual(before)
  expect((await person.git(repository, 'ls-remote', person.url('shop'))).out).not.toContain(commit)

  await writeFile(place('go'), '')
  const again = await person.push(repository, 'shop')
  expect(again.err).toContain('Done, shop:v3 deployed to Workflow')
  expect(again.code).toBe(0)
  expect((await person.git(repository, 'ls-remote', person.url('shop'))).out).toContain(commit)
  await builder.end('SIGTERM')
})
