// The platform as an operator installs it, and as people use it: pushed to, killed piece by piece while an app is made on it,
// upgraded, rolled back, restored from a backup and removed, on a real node and under requests. Each part starts from what the
// one before left.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { Life, laterSteps, steps } from '#test/e2e/life.ts'
import { localSite } from '#test/e2e/local-site.ts'
import { type Files, writeFiles } from '#test/support/build-stage.ts'
import { Person } from '#test/support/builder-stage.ts'
import { ask } from '#test/support/local-platform.ts'
import { auditedRequests } from './audit-log.ts'
import { type BuildRegistry, startBuildRegistry } from './build-registry.ts'
import { handshake } from './change-latency.ts'
import { run } from './command.ts'
import { freePort } from './control-plane.ts'
import { hostAddress, nodeName } from './node-site.ts'
import { killingPods } from './pod-killer.ts'
import { policyStories, policyValues } from './policy-stories.ts'
import { poll } from './poll.ts'
import { routerBaseArchive } from './router-base.ts'
import { describeLoad, underLoad } from './steady-load.ts'
import { buildNamespace, domain, isLasting, namespace, type Values, Workflow } from './workflow.ts'

const workflow = new Workflow()
const { api } = workflow
let directory: string
let token = ''
let person: Person

const values: Values = { collector: { podLogs: join(api.directory, 'log/pods') }, ...policyValues }
/** Requests in a second: a machine of two cores starts pods at the same time. */
const rate = 20
const host = (app: string) => `${app}.${domain}`
const call = <T>(method: string, path: string, body: unknown = null) =>
  workflow.call<T>(method, `/v2${path}`, { authorization: token === '' ? '' : `token ${token}`, body })

let life: Life
let buildpackUrl = ''
let gitServer: ChildProcess
/** Stands for registries of the world. */
let elsewhere: BuildRegistry

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'workflow-'))
  await workflow.start()
  await workflow.install(values)
  life = new Life(await localSite({ ...workflow.ports, admin: 0 }, join(directory, 'home')))
  buildpackUrl = await serveBuildpack()
  elsewhere = await startBuildRegistry()
  await elsewhere.push(await routerBaseArchive(), 'base:1')
}, 900_000)
afterAll(async () => {
  gitServer?.kill()
  await elsewhere?.[Symbol.asyncDispose]()
  await workflow.stop()
  await rm(directory, { recursive: true, force: true })
})

/** By git's own protocol, where Pods reach this machine; gives the URL. */
async function serveBuildpack(): Promise<string> {
  const path = join(directory, 'buildpack.git')
  await writeFiles(path, buildpack)
  await run('chmod', ['0755', join(path, 'bin/detect'), join(path, 'bin/build')])
  const author = ['-c', 'user.name=a', '-c', 'user.email=a@b.c']
  await run('git', ['-C', path, 'init', '--quiet', '--initial-branch=main'])
  await run('git', ['-C', path, 'add', '--all'])
  await run('git', [...author, '-C', path, 'commit', '--quiet', '--message=buildpack'])
  const port = await freePort(hostAddress)
  const flags = ['--export-all', `--base-path=${directory}`, `--listen=${hostAddress}`, `--port=${port}`]
  gitServer = spawn('git', ['daemon', ...flags, '--reuseaddr'], { stdio: 'ignore' })
  return `git://${hostAddress}:${port}/buildpack.git`
}

/** Asks through the router until the text is as wanted. */
function shows(app: string, wanted: RegExp, seconds = 30): Promise<string> {
  return poll(`${wanted} from ${app}`, seconds, async () => {
    const { status, text } = await ask(workflow.ports.http, host(app))
    if (status === 200 && wanted.test(text)) return text
    throw new Error(`${status} ${text.slice(0, 200)}`)
  })
}

async function create(app: string): Promise<void> {
  expect(await call('POST', '/apps/', { id: app })).toMatchObject({ status: 201, body: { id: app } })
}

const nodeApp = (greeting: string) => ({
  'package.json': '{}',
  'server.js': `require('node:http').createServer((_, response) => response.end(${JSON.stringify(greeting)} + ' ' + process.env.WORD)).listen(process.env.PORT, () => console.log('listening'))\n`,
  Procfile: 'web: node server.js\n',
})

/** On an image from elsewhere: that of another app is nobody's to read. */
const dockerApp = (base: string): Files => ({
  Dockerfile: `FROM ${base}
WORKDIR /srv
COPY server.js .
RUN echo docked > name
EXPOSE 8080
CMD ["node", "server.js"]
`,
  'server.js': `require('node:http').createServer((_, response) => response.end('hello from ' + require('node:fs').readFileSync('name', 'utf8').trim())).listen(8080)\n`,
})

/** A Cloud Native Buildpack that somebody brings himself: it builds what the built-in one for Node does. */
const buildpack: Files = {
  'buildpack.toml': '[buildpack]\nid = "own/node"\nversion = "1.0.0"\n',
  'bin/detect': '#!/bin/sh\nexit 0\n',
  'bin/build': `#!/bin/sh
echo "-----> A buildpack of my own"
printf '[[processes]]\\ntype = "web"\\ncommand = ["node", "server.js"]\\ndefault = true\\n' > "$1/launch.toml"
`,
}

describe('somebody', () => {
  for (const { name, run: step } of steps.filter(each => each.name !== 'destroy'))
    test(`with the command: ${name}`, () => step(life), 240_000)

  test('is the only one who could register', async () => {
    const account = { username: 'alice', password: 'a password of hers', email: 'a@example.com' }
    expect((await call('POST', '/auth/register/', { ...account, username: 'mallory' })).status).toBe(403)
    token = (await call<{ token: string }>('POST', '/auth/login/', account)).body.token
    expect(token).not.toBe('')
    const home = join(directory, 'alice')
    await mkdir(home)
    const keyFile = join(home, 'key')
    await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'alice', '-f', keyFile])
    const body = { id: 'laptop', public: await readFile(`${keyFile}.pub`, 'utf8') }
    expect((await call('POST', '/keys/', body)).status).toBe(201)
    person = new Person({ builder: { port: workflow.ports.builder } }, home, keyFile, token)
  })

  test('pushes an app with a Procfile, which runs', async () => {
    await create('shop')
    expect((await call('POST', '/apps/shop/config/', { values: { WORD: 'one' } })).status).toBe(201)
    const repository = await person.repository(nodeApp('hello'))
    const { code, err } = await person.push(repository, 'shop')
    expect(err).toContain('Done, shop:v3 deployed to Workflow')
    expect(code).toBe(0)
    expect(await shows('shop', /hello/)).toBe('hello one')
  }, 240_000)

  test('pushes other apps side by side: a Dockerfile, a buildpack of their own, and one that is broken', async () => {
    const kinds: readonly (readonly [app: string, files: Files, config: object, outcome: RegExp])[] = [
      ['docked', dockerApp(`${elsewhere.host}/base:1`), {}, /Done, docked:v2 deployed/],
      [
        'packed',
        nodeApp('packed'),
        { BUILDPACK_URL: buildpackUrl, WORD: 'by a buildpack of its own' },
        /Done, packed:v3/,
      ],
      ['broken', { ...nodeApp(''), Procfile: 'web: exit 7\n' }, {}, /the process crashes with exit code 7/],
      ['odd', { 'README.md': 'nothing that a buildpack knows' }, {}, /Build pod exited with code 20, stopping build/],
    ]
    await Promise.all(
      kinds.map(async ([app, files, config, outcome]) => {
        await create(app)
        if (Object.keys(config).length > 0)
          expect((await call('POST', `/apps/${app}/config/`, { values: config })).status).toBe(201)
        const { code, err } = await person.push(await person.repository(files), app)
        expect(err).toMatch(outcome)
        expect(code === 0).toBe(err.includes('Done, '))
      }),
    )
    expect(await shows('docked', /docked/)).toBe('hello from docked')
    expect(await shows('packed', /packed/)).toBe('packed by a buildpack of its own')
    expect((await ask(workflow.ports.http, host('broken'))).status).toBe(503)
    // Nothing of what was pushed is left running.
    const left = (await workflow.pods(buildNamespace)).filter(({ status }) => status.phase === 'Running')
    expect(left).toEqual([])
  }, 300_000)

  test('and is told to wait when a push to the same app is under way', async () => {
    const repositories = await Promise.all([person.repository(nodeApp('left')), person.repository(nodeApp('right'))])
    const pushes = await Promise.all(repositories.map(path => person.push(path, 'broken', '+master')))
    expect(pushes.filter(({ code }) => code === 0)).toHaveLength(1)
    expect(pushes.map(({ err }) => err).join()).toContain('Another git push is ongoing')
    await shows('broken', /left|right/)
  }, 240_000)

  test('scales it, gives it a name and a certificate of its own', async () => {
    expect((await call('POST', '/apps/shop/scale/', { web: 2 })).status).toBe(204)
    const pair = selfSign(['www.shop.test'], 30, Date.now())
    expect((await call('POST', '/apps/shop/domains/', { domain: 'www.shop.test' })).status).toBe(201)
    const certificate = { name: 'shop', certificate: pair.chain, key: pair.key }
    expect((await call('POST', '/certs/', certificate)).status).toBe(201)
    expect((await call('POST', '/certs/shop/domain/', { domain: 'www.shop.test' })).status).toBe(201)
    await poll('HTTPS with its certificate', 30, async () =>
      (await handshake(workflow.ports.https, 'www.shop.test')) === pair.fingerprint ? true : null,
    )
  })
})

policyStories(workflow, call)

describe('an app', () => {
  test('has its log: what it says, what the controller does with it, and who asked for it', async () => {
    await poll('a line of each', 60, async () => {
      const { status, body } = await call<string>('GET', '/apps/shop/logs?log_lines=1000')
      if (status !== 200) throw new Error(String(status))
      return /shop\[web\.v\d+\.[a-z0-9]+\]: listening/.test(body) && /deis\[controller\]: INFO .*alice/.test(body)
        ? true
        : null
    })
  })
})

describe('the operator', () => {
  test('helm test finds every service', async () => {
    expect((await workflow.test()).match(/^Phase: +Succeeded$/gm)).toHaveLength(2)
  })

  test('sees what it takes when nothing happens', async () => {
    const report = await memory()
    const total = report.reduce((sum, { megabytes }) => sum + megabytes, 0)
    console.log(report.map(({ pod, megabytes }) => `${megabytes.toFixed(0).padStart(5)} MB ${pod}`).join('\n'))
    console.log(`${total.toFixed(0).padStart(5)} MB in all`)
    expect(total).toBeLessThan(700)
  })

  test('kills pods at random while somebody makes an app: every one recovers, no data and not one request is lost', async () => {
    const before = await everything()
    const another = await localSite({ ...workflow.ports, admin: 0 }, join(directory, 'another'), 'another')
    const second = new Life(another, { app: 'second', tries: 60 })
    let killed: readonly string[] = []
    const report = await underLoad(workflow.ports.http, host('shop'), rate, async () => {
      killed = await killingPods(workflow, ['shop'], 6, async () => {
        for (const { run: step } of laterSteps) await step(second)
      })
    })
    console.log(`killed ${killed.join(', ')}: ${describeLoad(report)}`)
    console.log(`commands that had to be repeated:\n${second.failures.join('\n')}`)
    expect(report.failures).toEqual({})
    expect(await everything()).toEqual(before)
    const repository = await person.repository(nodeApp('after all that'))
    expect((await person.push(repository, 'docked', '+master')).err).toContain('Done, docked:v3')
    await shows('docked', /after all that/)
  }, 900_000)

  test('upgrades and rolls back: nothing is lost, neither data nor a request', async () => {
    const report = await underLoad(workflow.ports.http, host('shop'), rate, async () => {
      await workflow.upgrade({ ...values, controller: { replicas: 2, podLabels: { upgraded: 'yes' } } })
      expect((await workflow.pods()).filter(({ metadata }) => metadata.labels?.upgraded === 'yes')).toHaveLength(2)
      expect((await call('GET', '/apps/shop/')).status).toBe(200)
      await workflow.rollback()
      expect((await call('GET', '/apps/shop/')).status).toBe(200)
    })
    console.log(`upgrade and rollback: ${describeLoad(report)}`)
    expect(report.failures).toEqual({})
    // Its name is the same for clients of git.
    expect((await person.git(await person.repository({}), 'ls-remote', person.url('shop'))).code).toBe(0)
  }, 400_000)

  test('restores a backup: what was lost is back, what came later is gone, apps go on', async () => {
    const kubectl = (...args: readonly string[]) => api.kubectl(['-n', namespace, ...args])
    expect(await workflow.runJob('backup-now', 'deis-database-backup')).toMatch(/^deis-\S+\.dump: \d+ bytes$/m)
    const kept = async () => ({ keys: await count('/keys/'), certificates: await count('/certs/') })
    const before = await kept()
    expect(before.keys).toBeGreaterThan(0)
    await create('later')
    await kubectl('exec', 'deis-database-0', '--', 'psql', '-U', 'deis', '-qc', 'drop table keys, certificates cascade')
    const report = await underLoad(workflow.ports.http, host('shop'), rate, async () => {
      await kubectl('scale', 'deployment/deis-controller', '--replicas=0')
      await kubectl('wait', '--for=delete', 'pod', '-l', 'app=deis-controller', '--timeout=60s')
      expect(await workflow.runJob('restore', 'deis-database-restore')).toMatch(/^restored deis-\S+\.dump$/m)
      await kubectl('scale', 'deployment/deis-controller', '--replicas=1')
      await workflow.ready()
    })
    console.log(`restore: ${describeLoad(report)}`)
    expect(report.failures).toEqual({})
    await poll('the API', 30, async () => ((await call('GET', '/apps/')).status === 200 ? true : null))
    const ids = (await call<{ results: { id: string }[] }>('GET', '/apps/')).body.results.map(({ id }) => id)
    expect(ids).toContain('shop')
    expect(ids).not.toContain('later')
    expect(await kept()).toEqual(before)
    const repository = await person.repository(nodeApp('from before'))
    expect((await person.push(repository, 'shop', '+master')).code).toBe(0)
    await shows('shop', /from before/)
  }, 400_000)

  test('gave each service the permissions that it asks for', async () => {
    for (const account of ['deis-controller', 'deis-builder']) {
      const requests = auditedRequests(api.directory, namespace, account)
      expect(requests.length, account).toBeGreaterThan(10)
      const refused = requests.filter(({ status }) => status === 403 || status === 401)
      expect(refused, account).toEqual([])
    }
  })

  test('sees an app go by the command', () => steps.at(-1)!.run(life), 120_000)

  test('removes an app, and then the platform: volumes and Secrets stay', async () => {
    expect((await call('DELETE', '/apps/shop/')).status).toBe(204)
    await poll('404', 30, async () => ((await ask(workflow.ports.http, host('shop'))).status === 404 ? true : null))
    await workflow.uninstall()
    await poll('no pods', 90, async () => ((await workflow.pods()).filter(isLasting).length === 0 ? true : null))
    const names = async (kind: string) =>
      (
        await api.request<{ items: { metadata: { name: string } }[] }>('GET', `/api/v1/namespaces/${namespace}/${kind}`)
      ).items.map(({ metadata }) => metadata.name)
    expect((await names('persistentvolumeclaims')).length).toBeGreaterThanOrEqual(4)
    expect(await names('secrets')).toEqual(expect.arrayContaining(['database-creds', 'registry-token-key']))
  }, 240_000)
})

async function count(path: string): Promise<number> {
  return (await call<{ results: object[] }>('GET', path)).body.results.length
}

/** All that people keep in the platform. */
async function everything(): Promise<unknown> {
  const list = async (path: string) => (await call<{ results: object[] }>('GET', path)).body.results
  const apps = (await list('/apps/')) as { id: string }[]
  const parts = ['releases', 'builds', 'domains', 'config', 'settings']
  return {
    apps: await Promise.all(
      apps.map(async app => ({
        app,
        parts: await Promise.all(parts.map(async part => (await call('GET', `/apps/${app.id}/${part}/`)).body)),
      })),
    ),
    certificates: (await list('/certs/')).filter(each => (each as { name: string }).name !== 'second'),
    users: (await list('/users/')).map(user => (user as { username: string }).username),
  }
}

/** What cannot be taken back from each pod of the platform, as `kubectl top` counts it. */
async function memory(): Promise<readonly { pod: string; megabytes: number }[]> {
  const { pods } = await api.request<{
    pods: { podRef: { name: string; namespace: string }; memory?: { workingSetBytes?: number } }[]
  }>('GET', `/api/v1/nodes/${nodeName}/proxy/stats/summary`)
  return pods
    .filter(({ podRef }) => podRef.namespace === namespace)
    .map(({ podRef, memory: used }) => ({ pod: podRef.name, megabytes: (used?.workingSetBytes ?? 0) / 2 ** 20 }))
    .sort((a, b) => b.megabytes - a.megabytes)
}
