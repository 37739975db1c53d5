// From `git push` to a running app, with the real git and ssh (builder contract, sections 2 to 5).

import { once } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import ssh2 from 'ssh2'
import { expect, test } from 'vitest'
import { BuilderStage, ended, type Person, plain } from '#test/support/builder-stage.ts'

const server = `
const server = require('node:http').createServer((_request, response) => response.end('hello'))
server.listen(process.env.PORT)
process.on('SIGTERM', () => server.close(() => process.exit(0)))
`

const app = {
  'server.cjs': server,
  Procfile: `web: ${process.execPath} server.cjs\n`,
  'build.sh': 'echo "-----> Node app detected"\n',
}

async function shop(stage: BuilderStage, files: Readonly<Record<string, string>> = app, name = 'shop') {
  const alice = await stage.person()
  await stage.controller.app(alice.token, name)
  const path = await alice.repository(files)
  return { alice, path }
}

async function loggedIn(stage: BuilderStage, person: Person): Promise<ssh2.Client> {
  // Its end may be a reset.
  const connection = new ssh2.Client().on('error', () => {})
  const privateKey = await readFile(person.keyFile)
  connection.connect({ host: '127.0.0.1', port: stage.builder.port, username: 'git', privateKey })
  await once(connection, 'ready')
  return connection
}

/** As the builder has it. */
async function remoteRefs(person: Person, path: string, name = 'shop'): Promise<string> {
  return (await person.git(path, 'ls-remote', person.url(name))).out
}

test('a push builds, deploys, and then moves the ref; the same commit again does nothing', async () => {
  await using stage = await BuilderStage.start()
  const { alice, path } = await shop(stage)
  await stage.controller.call('POST', '/v2/apps/shop/config/', {
    token: alice.token,
    body: { values: { WORD: 'blue' } },
  })
  const pushed = await alice.push(path, 'shop')
  expect(pushed.err).toContain('-> master')
  const lines = pushed.err.split('\n').map(line => line.replace(/^remote: /, '').trimEnd())
  const at = (text: string): number => lines.findIndex(line => line.includes(text))
  const texts = [
    ...['Starting build... but first, coffee!', '-----> Node app detected', 'Build complete.', 'Launching App...'],
    ...['Done, shop:v3 deployed to Workflow', "Use 'deis open' to view this application in your browser"],
    "To learn more, use 'deis help' or visit https://deis.com/",
  ]
  const places = texts.map(at)
  expect(places).not.toContain(-1)
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(pushed.code).toBe(0)
  const [request] = stage.strategy.requests
  expect(request).toMatchObject({ app: 'shop', config: { WORD: 'blue' } })
  const builds = await stage.controller.call('GET', '/v2/apps/shop/builds/', { token: alice.token })
  expect(builds.body.results[0]).toMatchObject({ sha: request!.commit.slice(0, 8), dockerfile: '', owner: 'person1' })
  const again = await alice.push(path, 'shop')
  expect(again).toMatchObject({ code: 0, err: 'Everything up-to-date\n' })
  expect(stage.strategy.requests).toHaveLength(1)
  await alice.commit(path, { 'build.sh': 'echo second\n' })
  expect((await alice.push(path, 'shop')).err).toContain('Done, shop:v4 deployed to Workflow')
})

test('lines begin at the first column, which hides what git puts before them', async () => {
  await using stage = await BuilderStage.start()
  const { alice, path } = await shop(stage, { ...app, 'build.sh': 'echo "-----> raw"' })
  const child = alice.startGit(path, 'push', alice.url('shop'), 'master')
  let err = ''
  child.stderr!.on('data', part => (err += part))
  await once(child, 'close')
  expect(err).toContain('\x1b[1G-----> raw')
  expect(plain(err)).toContain('-----> raw')
})

const failures: readonly (readonly [name: string, files: Readonly<Record<string, string>>, said: RegExp])[] = [
  ['a build that fails', { 'build.sh': 'echo no; exit 1' }, /exited with code 1, stopping build/],
  [
    'a deploy that fails',
    { ...app, Procfile: 'web: exit 1\n' },
    /The controller returned an error when publishing the release: Unknown Error \(400\): \{"detail":/,
  ],
]

for (const [name, files, said] of failures)
  test(`${name}: the ref stays, and the same commit can be pushed again`, async () => {
    await using stage = await BuilderStage.start({
      controller: { env: { DEIS_DEPLOY_TIMEOUT: '2' } },
    })
    const { alice, path } = await shop(stage, files)
    for (let times = 0; times < 2; times++) {
      const pushed = await alice.push(path, 'shop')
      expect(pushed.code).toBe(1)
      expect(pushed.err).toMatch(said)
      expect(pushed.err).toMatch(/\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d Error running git receive hook \[/)
      expect(pushed.err).toContain('[remote rejected] master -> master (pre-receive hook declined)')
      expect(pushed.err).toContain('error: failed to push some refs to')
    }
    expect(stage.strategy.requests).toHaveLength(2)
    expect(await remoteRefs(alice, path)).toBe('')
  })

test('who may not: unknown keys, apps of others, apps that are not there, and no name', async () => {
  await using stage = await BuilderStage.start()
  const { path } = await shop(stage)
  const bob = await stage.person()
  const eve = await stage.stranger()
  const theirs = await bob.push(path, 'shop')
  expect(theirs.code).toBe(128)
  expect(theirs.err).toContain('You do not have permission to perform this action.')
  expect(theirs.err).toContain('Could not read from remote repository')
  // A part of a name is no name.
  expect((await bob.push(path, 'sho')).code).toBe(128)
  expect((await bob.ssh("git-receive-pack '../shop'")).err).toContain('No repo given')
  const unknown = await eve.push(path, 'shop')
  expect(unknown.code).toBe(128)
  expect(unknown.err).toContain('Permission denied (publickey)')
  expect(stage.strategy.requests).toHaveLength(0)
})

test('the controller is away: nobody is let in, and the log says why', async () => {
  await using stage = await BuilderStage.start()
  const { alice, path } = await shop(stage)
  await stage.controller.close(0)
  expect((await alice.push(path, 'shop')).err).toContain('Permission denied (publickey)')
  expect(stage.log.map(({ message }) => message)).toContain('the controller could not be asked whose key it is')
  const health = (what: string) =>
    fetch(`http://127.0.0.1:${stage.builder.healthPort}/${what}`).then(async ({ status, body }) => {
      await body?.cancel()
      return status
    })
  expect([await health('healthz'), await health('readiness'), await health('other')]).toEqual([200, 503, 404])
  await stage.controller.open()
})

/** Resolves when the pusher has read it. */
function read(child: ReturnType<Person['startGit']>, text: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let err = ''
  child.stderr!.on('data', part => {
    err += part
    if (err.includes(text)) resolve()
  })
  child.on('close', () => reject(new Error(`it ended before: ${err}`)))
  return promise
}

test('a second push and a fetch while one runs are told so; other apps build meanwhile', async () => {
  await using stage = await BuilderStage.start()
  const gate = join(stage.directory, 'gate')
  const wait = `echo waiting; while [ ! -e ${gate} ]; do sleep 0.05; done`
  const { alice, path } = await shop(stage, { ...app, 'build.sh': wait })
  const first = alice.startGit(path, 'push', alice.url('shop'), 'master')
  const done = once(first, 'exit')
  await read(first, 'waiting')
  const second = await alice.push(path, 'shop')
  expect(second.code).toBe(128)
  expect(second.err).toContain('fatal: remote error: Another git push is ongoing')
  const fetched = await alice.git(path, 'fetch', alice.url('shop'))
  expect(fetched).toMatchObject({ code: 128, err: 'fatal: remote error: Another git push is ongoing\n' })
  await stage.controller.app(alice.token, 'other')
  const other = await alice.repository(app)
  expect((await alice.push(other, 'other')).code).toBe(0)
  await writeFile(gate, '')
  expect(await done).toEqual([0, null])
})

test('a client that is killed during the build: it goes on, and a later push says that it is there', async () => {
  await using stage = await BuilderStage.start()
  const gate = join(stage.directory, 'gate')
  const wait = `echo waiting; while [ ! -e ${gate} ]; do sleep 0.05; done; echo after`
  const { alice, path } = await shop(stage, { ...app, 'build.sh': wait })
  const first = alice.startGit(path, 'push', alice.url('shop'), 'master')
  await read(first, 'waiting')
  process.kill(-first.pid!, 'SIGKILL')
  await once(first, 'close')
  await writeFile(gate, '')
  for (;;) {
    const { code, err } = await alice.push(path, 'shop')
    if (err.includes('Another git push is ongoing')) continue
    expect({ code, err }).toEqual({ code: 0, err: 'Everything up-to-date\n' })
    break
  }
  expect(stage.strategy.requests).toHaveLength(1)
})

test('several refs are built one after another, and the first failure rejects all; deleting is refused', async () => {
  await using stage = await BuilderStage.start()
  const { alice, path } = await shop(stage)
  await alice.git(path, 'checkout', '--quiet', '-b', 'next')
  await alice.commit(path, { 'build.sh': 'exit 1' })
  const rejected = await alice.push(path, 'shop', 'master', 'next')
  expect(rejected.code).toBe(1)
  expect(rejected.err).toContain('[remote rejected] next -> next (pre-receive hook declined)')
  expect(rejected.err).toContain('[remote rejected] master -> master (pre-receive hook declined)')
  expect(await remoteRefs(alice, path)).toBe('')
  await alice.commit(path, app)
  await alice.git(path, 'tag', '-a', 'v1', '-m', 'one')
  expect((await alice.push(path, 'shop', 'master', 'next', 'v1')).code).toBe(0)
  const deleted = await alice.push(path, 'shop', ':next')
  expect(deleted.code).toBe(1)
  expect(deleted.err).toContain(`git sha ${'0'.repeat(40)} was invalid`)
  expect(await remoteRefs(alice, path)).toContain('refs/heads/next')
})

test('clone and fetch give back what was pushed, also from a builder with an empty working directory', async () => {
  await using stage = await BuilderStage.start()
  const { alice, path } = await shop(stage)
  await alice.git(path, 'branch', '-m', 'master', 'trunk')
  expect((await alice.push(path, 'shop', 'trunk')).code).toBe(0)
  for (let round = 0; round < 2; round++) {
    await alice.commit(path, { 'round.txt': `${round}` })
    expect((await alice.push(path, 'shop', 'trunk')).code).toBe(0)
    await stage.close()
    await stage.open()
  }
  const copy = join(alice.directory, 'copy')
  // Its host keys are the same: a client would refuse others.
  const cloned = await alice.git(alice.directory, 'clone', '--quiet', alice.url('shop'), copy)
  expect(cloned).toMatchObject({ code: 0, err: '' })
  expect(await readFile(join(copy, 'round.txt'), 'utf8')).toBe('1')
  expect((await alice.push(path, 'shop', 'trunk')).err).toBe('Everything up-to-date\n')
  expect((await alice.git(copy, 'fsck', '--full')).code).toBe(0)
  expect(stage.strategy.requests).toHaveLength(3)
})

test('a deleted app takes its repository and caches with it', async () => {
  await using stage = await BuilderStage.start({ config: { cleanInterval: 20 } })
  const { alice, path } = await shop(stage)
  expect((await alice.push(path, 'shop')).code).toBe(0)
  expect(await Array.fromAsync(stage.store.list('repositories/'))).toHaveLength(2)
  const { status } = await stage.controller.call('DELETE', '/v2/apps/shop/', { token: alice.token })
  expect(status).toBe(204)
  while (!stage.strategy.forgotten.includes('shop')) await new Promise(setImmediate)
  expect(await Array.fromAsync(stage.store.list('repositories/'))).toEqual([])
})

test('who takes the name of a deleted app gets nothing that it had, and its owner nothing of his', async () => {
  // As with many apps, or a builder that was away: the cleaner does not come by.
  await using stage = await BuilderStage.start({ config: { cleanInterval: 3_600_000 } })
  const { alice, path } = await shop(stage)
  expect((await alice.push(path, 'shop')).code).toBe(0)
  const connection = await loggedIn(stage, alice)
  expect((await stage.controller.call('DELETE', '/v2/apps/shop/', { token: alice.token })).status).toBe(204)
  const bob = await stage.person()
  await stage.controller.app(bob.token, 'shop')
  expect(await remoteRefs(bob, bob.directory)).toBe('')
  expect(stage.strategy.forgotten).toEqual(['shop'])
  const other = await bob.repository({ ...app, 'bob.txt': 'private' })
  expect((await bob.push(other, 'shop')).code).toBe(0)
  // The connection was opened when the name was hers.
  const exec = promisify<string, ssh2.ClientChannel>((command, done) =>
    connection.exec(command, done as ssh2.ClientCallback),
  )
  const channel = await exec("git-upload-pack '/shop.git'")
  const said = (channel.stderr as Readable).toArray()
  channel.resume()
  expect(Buffer.concat(await said).toString()).toBe('You do not have permission to perform this action.\n')
  connection.end()
  await stage.close(0)
  await stage.open()
  expect(await remoteRefs(bob, bob.directory)).toContain('refs/heads/master')
})

test('an orderly end waits for a build, and ends it when its time is over', async () => {
  await using stage = await BuilderStage.start()
  const gate = join(stage.directory, 'gate')
  const wait = `echo waiting; while [ ! -e ${gate} ]; do sleep 0.05; done`
  const { alice, path } = await shop(stage, { ...app, 'build.sh': wait })
  const patient = alice.startGit(path, 'push', alice.url('shop'), 'master')
  const deployed = once(patient, 'exit')
  await read(patient, 'waiting')
  const closed = stage.close()
  await writeFile(gate, '')
  await closed
  expect(await deployed).toEqual([0, null])
  await stage.open()
  await alice.commit(path, { 'build.sh': 'echo waiting; sleep 1000' })
  const hasty = alice.startGit(path, 'push', alice.url('shop'), 'master')
  const done = ended(hasty)
  await read(hasty, 'waiting')
  await stage.close(0)
  expect((await done).code).not.toBe(0)
  await stage.open()
})

test('a lock that has expired lets others in, and the build goes on', async () => {
  await using stage = await BuilderStage.start({ config: { lockTimeout: 1500 } })
  const gate = join(stage.directory, 'gate')
  const wait = `echo waiting; while [ ! -e ${gate} ]; do sleep 0.05; done`
  const { alice, path } = await shop(stage, { ...app, 'build.sh': wait })
  const first = await alice.push(path, 'shop')
  expect(first.code).not.toBe(0)
  expect(first.err).toContain('The time for this push is over')
  expect(await remoteRefs(alice, path)).toBe('')
  await writeFile(gate, '')
  while ((await remoteRefs(alice, path)) === '');
})

test('a push that finds no room for its source gives its place in the queue back', async () => {
  await using stage = await BuilderStage.start({ config: { builds: 1, waitingBuilds: 0 } })
  const { alice, path } = await shop(stage)
  const sources = join(stage.directory, 'work-1/sources')
  await rename(sources, `${sources}-away`)
  expect((await alice.push(path, 'shop')).err).toContain('something went wrong in the builder')
  await rename(`${sources}-away`, sources)
  expect(await alice.push(path, 'shop')).toMatchObject({ code: 0 })
})
