// Builds as Jobs of a real cluster, by a service account that has the builder's role and nothing else: buildpacks and a
// Dockerfile, images that are in the registry and run, failures in words, and nothing left running.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KubernetesStrategy, type KubernetesStrategyOptions } from '#builder/build/kubernetes/kubernetes-strategy.ts'
import { buildUsers, type JobOptions, standardJobOptions } from '#builder/build/kubernetes/options.ts'
import { BuildError, type BuildResult } from '#builder/build/strategy.ts'
import { commandOf, runCommandOf } from '#controller/domain/command.ts'
import { KubeClient } from '#kube/client.ts'
import { type Files, writeFiles } from '#test/support/build-stage.ts'
import { auditedRequests, auditFlags } from './audit-log.ts'
import { type BuildRegistry, startBuildRegistry } from './build-registry.ts'
import { builderImage, builderImageArchive, fetchCommand } from './builder-image.ts'
import { covers, describeGrant, grantsOf } from './grants.ts'
import { NodeRuntime } from './node.ts'
import { hostAddress } from './node-site.ts'
import { poll } from './poll.ts'
import { SealedRegistry } from './sealed-registry.ts'
import { toolsArchive } from './shell-image.ts'

const commit = '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d'
const node = new NodeRuntime({ apiServerFlags: auditFlags })
const api = node.controlPlane
const stop = new AbortController()
let client: KubeClient
let registry: BuildRegistry
let strategy: KubernetesStrategy
let directory: string
let sources = 0
/** An archive with what Dockerfiles begin with. */
let tools: string

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
    readonly spec: { readonly containers?: readonly { readonly name: string }[] }
    readonly status?: { readonly phase?: string; readonly podIP?: string }
  }[]
}

const jobs = (): JobOptions => ({
  ...standardJobOptions,
  namespace: 'deis',
  fetch: { image: builderImage, command: fetchCommand },
  buildpacks: { ...standardJobOptions.buildpacks, image: builderImage, runImage: `${registry.host}/run:1` },
  dockerfiles: { ...standardJobOptions.dockerfiles, image: builderImage },
  pullPolicy: 'Never',
  limits: { cpu: '2', memory: '512Mi', 'ephemeral-storage': '4Gi' },
})

type RegistryOf = KubernetesStrategyOptions['registry']

const open = (changes: Partial<JobOptions> = {}, access: Partial<RegistryOf> = {}): Promise<KubernetesStrategy> =>
  KubernetesStrategy.open(
    {
      client,
      jobs: { ...jobs(), ...changes },
      sources: { address: hostAddress, port: 0, url: null },
      registry: { url: new URL(`http://${registry.host}`), host: null, authorize: null, ...access },
    },
    stop.signal,
  )

beforeAll(async () => {
  const archive = await builderImageArchive()
  directory = await mkdtemp(join(tmpdir(), 'builder-cluster-'))
  await node.start()
  await node.loadImage(archive)
  registry = await startBuildRegistry()
  await registry.push(archive, 'run:1')
  tools = await toolsArchive(directory)
  await registry.push(tools, 'tools:1')
  await api.request('POST', '/api/v1/namespaces', { metadata: { name: 'deis' } })
  await api.request('POST', '/api/v1/namespaces/deis/serviceaccounts', { metadata: { name: 'deis-builder' } })
  await api.kubectl(['apply', '-f', join(import.meta.dirname, '../../examples/cluster/builder-role.yaml')])
  client = await KubeClient.fromKubeconfig(await api.serviceAccountKubeconfig('deis', 'deis-builder'))
  strategy = await open()
})
afterAll(async () => {
  stop.abort()
  await strategy?.close()
  await client?.close()
  await registry?.[Symbol.asyncDispose]()
  await node.stop()
  await rm(directory, { recursive: true, force: true })
})

interface Built {
  readonly lines: readonly string[]
  readonly result: BuildResult | null
  readonly error: BuildError | null
}

async function build(
  app: string,
  files: Files,
  config: Readonly<Record<string, string>> = {},
  { signal = stop.signal, by = strategy, hear = (_line: string): void => {} } = {},
): Promise<Built> {
  const source = join(directory, `source-${++sources}`)
  await writeFiles(source, files)
  const lines: string[] = []
  const say = (line: string): void => {
    lines.push(line)
    hear(line)
  }
  const outcome = await by.build({ app, commit, source, config, say, signal }).then(
    result => ({ result, error: null }),
    (error: unknown) => ({ result: null, error: error as BuildError }),
  )
  return { lines, ...outcome }
}

const list = (path: string): Promise<Listed> => api.request<Listed>('GET', path)
const podsOf = async (app: string): Promise<Listed['items']> =>
  (await list('/api/v1/namespaces/deis/pods')).items.filter(
    ({ metadata }) => metadata.labels?.['build.deis.io/app'] === app,
  )

const nodeApp: Files = {
  'package.json': '{}',
  'server.js': `require('node:http').createServer((_, response) => response.end('hello from a build')).listen(5000)`,
}

const pythonApp = `from http.server import BaseHTTPRequestHandler, HTTPServer
class App(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'hello from Python')
HTTPServer(('', 5000), App).serve_forever()
`

/** What the web process of the built image says, and before it a command that is run once, as the controller has them. */
async function answerOf(name: string, result: BuildResult, tool: string): Promise<string> {
  const pods = '/api/v1/namespaces/default/pods'
  const image = `${registry.nodeHost}/${result.image}`
  const built = { image: result.image, sha: '1a2b3c4d', dockerfile: '', procfile: result.procfile }
  const { command, args } = commandOf(built, 'web')
  const containers = [{ name: 'web', image, command, ...(args === null ? {} : { args }) }]
  // The process begins when this one has found what a layer of the image brought.
  const initContainers = [{ name: 'run', image, ...runCommandOf(built, `command -v ${tool}`) }]
  await api.request('POST', pods, { metadata: { name }, spec: { initContainers, containers, restartPolicy: 'Never' } })
  return await poll('answer of the app', 60, async () => {
    const { status } = await api.request<Listed['items'][number]>('GET', `${pods}/${name}`)
    if (status?.podIP === undefined) return null
    return await (await fetch(`http://${status.podIP}:5000/`)).text()
  })
}

test('it may be used', async () => {
  await strategy.check(stop.signal)
  expect(strategy.leftOvers).toEqual([])
})

describe('buildpacks', () => {
  test('build an app: log, process types, an image that runs', async () => {
    const { lines, result, error } = await build('shop', nodeApp, { GREETING: 'hello', TALK: '500' })
    expect({ error, text: error?.message }).toEqual({ error: null, text: undefined })
    expect(result).toEqual({ image: 'shop:git-1a2b3c4d', procfile: { web: '/cnb/process/web' }, fromDockerfile: false })
    const text = lines.join('\n')
    expect(text).toContain('Node app, greeting hello, file hello')
    expect(text).toContain('token in sight: none')
    expect(
      lines.filter(line => /line \d+ of 500/.test(line)).map(line => Number(/line (\d+)/.exec(line)?.[1])),
    ).toEqual(Array.from({ length: 500 }, (_, index) => index + 1))
    expect(lines.slice(-2)).toEqual(['-----> Discovering process types', '       Default process types -> web'])
    // With its secrets gone, and the Job there for a while.
    const [pod] = await podsOf('shop')
    expect(pod?.metadata.labels?.heritage).toMatch(/^slugbuild-shop-1a2b3c4d-[0-9a-f]{8}$/)
    expect(pod?.spec.containers?.map(({ name }) => name)).toEqual(['deis-slugbuilder'])
    expect((await list('/api/v1/namespaces/deis/secrets')).items).toEqual([])

    expect(await answerOf('shop', result!, 'layered-node')).toBe('hello from a build')
  })

  test('build an app in Python, which the image has from a layer alone', async () => {
    const files = { 'requirements.txt': '', Procfile: 'web: exec python3 serve.py\n', 'serve.py': pythonApp }
    const { lines, result, error } = await build('snake', files)
    expect({ error, text: error?.message }).toEqual({ error: null, text: undefined })
    expect(lines.join('\n')).toMatch(/Python app, Python 3\.\d+/)
    expect(await answerOf('snake', result!, 'python3')).toBe('hello from Python')
  })

  test('a second build finds the cache, and one that wants none does not', async () => {
    const again = await build('shop', { ...nodeApp, Procfile: "web: layered-node server.js\nworker: echo 'x'\n" })
    expect(again.lines.join('\n')).toContain('Restoring data from cache')
    expect(again.result?.procfile).toEqual({ web: 'layered-node server.js', worker: "echo 'x'" })
    expect(again.lines.at(-1)).toBe('       Procfile declares types -> web, worker')
    const without = await build('shop', nodeApp, { DEIS_DISABLE_CACHE: '1' })
    expect(without.error).toBe(null)
    expect(without.lines.join('\n')).not.toContain('cache')
    const after = await build('shop', nodeApp)
    expect(after.lines.join('\n')).not.toContain('Restoring data from cache')
    await strategy.forget('shop')
    expect((await build('shop', nodeApp)).lines.join('\n')).not.toContain('Restoring data from cache')
  })

  test('failures are told in words', async () => {
    const failing = await build('bad', nodeApp, { FAIL_WITH: '3' })
    expect(failing.error?.message).toBe('Build pod exited with code 51, stopping build.')
    expect(failing.error?.kind).toBe('failed')
    expect(failing.lines.join('\n')).toContain('this build fails')
    const unknown = await build('bad', { 'README.md': 'nothing' })
    expect(unknown.error?.message).toBe('Build pod exited with code 20, stopping build.')
    expect(unknown.lines.at(-1)).toBe('-----> Unable to select a buildpack')
    const url = await build('bad', nodeApp, { BUILDPACK_URL: 'https://127.0.0.1:1/none.git' })
    expect(url.lines[0]).toContain('-----> Fetching custom buildpack')
    expect(url.error?.message).toBe('Build pod exited with code 1, stopping build.')
    const malformed = await build('bad', { ...nodeApp, Procfile: '- a\n- b\n' })
    expect(malformed.error?.message).toContain('malformed')
  })

  test('memory, time, images and nodes have their ends', async () => {
    const eager = await build('eager', nodeApp, { EAT: '1' })
    expect(eager.error?.message).toMatch(/more memory|exited with code 51/)
    await using short = closing(await open({ deadline: 8 }))
    const slow = await build('slow', nodeApp, { HANG: '1' }, { by: short.strategy })
    expect(slow.error?.message).toBe('The build took too long, and was ended.')
    expect(slow.lines.join('\n')).toContain('this build hangs')
    await using none = closing(await open({ fetch: { image: 'localhost/none:1', command: fetchCommand } }))
    expect((await build('none', nodeApp, {}, { by: none.strategy })).error?.message).toContain(
      'The image localhost/none:1 for builds cannot be fetched',
    )
  })

  test('one that is given up is removed, with its Pod', async () => {
    const given = new AbortController()
    const hear = (line: string): void => {
      if (line.includes('this build hangs')) given.abort(new BuildError('lost', 'given up'))
    }
    const { error } = await build('gone', nodeApp, { HANG: '1' }, { signal: given.signal, hear })
    expect(error?.message).toBe('given up')
    await poll('end of the Pod', 60, async () => ((await podsOf('gone')).length === 0 ? true : null))
  })

  test('what a builder left behind that was killed is removed by the next', async () => {
    const heard = Promise.withResolvers<void>()
    const given = new AbortController()
    const building = build(
      'left',
      nodeApp,
      { HANG: '1' },
      { signal: given.signal, hear: line => line.includes('hangs') && heard.resolve() },
    )
    await Promise.race([heard.promise, building])
    await using next = closing(await open())
    expect(next.strategy.leftOvers).toEqual([expect.stringMatching(/^slugbuild-left-1a2b3c4d-/)])
    expect((await building).error?.message).toBe('The build was removed from the cluster.')
  })
})

test('a Dockerfile is built, by users who are nobody on the node', async () => {
  const dockerfile = `FROM ${registry.host}/tools:1
ARG GREETING
USER 0
RUN echo "greeting $GREETING" && mkdir /shop && echo yes > /shop/file && chown 1000:1000 /shop/file
RUN echo "users $(tr -s ' ' < /proc/self/uid_map)" && grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status
RUN unshare --user true || echo 'no name space'; mount -t tmpfs none /mnt || echo 'no mount' && echo 'a root directory'
RUN ls /var/run/secrets/kubernetes.io 2>&1 || echo 'no account'
USER 1000
RUN id -u && cat /shop/file
EXPOSE 8080
CMD ["sleep", "3600"]
`
  const config = { GREETING: 'hello', DEIS_DOCKER_BUILD_ARGS_ENABLED: '1', NOBODY_ASKS: 'x' }
  const { lines, result, error } = await build('docked', { Dockerfile: dockerfile, Procfile: 'web: sleep 1\n' }, config)
  expect({ text: error?.message, lines: error === null ? [] : lines }).toEqual({ text: undefined, lines: [] })
  expect(result).toEqual({ image: 'docked:git-1a2b3c4d', procfile: { web: 'sleep 1' }, fromDockerfile: true })
  expect(lines).toContain('greeting hello')
  expect(lines).toContain(`users  0 ${buildUsers.first} ${buildUsers.count}`)
  // Those that containers have anyway, over what is theirs; a filter; and nothing more by any program.
  expect(lines.filter(line => /^(CapEff|NoNewPrivs|Seccomp):/.test(line)).map(line => line.split(/\s+/))).toEqual([
    ['CapEff:', '00000000a80425fb'],
    ['NoNewPrivs:', '1'],
    ['Seccomp:', '2'],
  ])
  for (const line of ['no name space', 'no mount', 'no account', '1000', 'yes']) expect(lines).toContain(line)
  expect(lines).toContain('Pushing to registry')
  // As they were: nothing that the registry has is packed and pushed again.
  const layers = await registry.layersOf('docked:git-1a2b3c4d')
  expect(layers.slice(0, 1)).toEqual(await registry.layersOf('tools:1'))
  const wrong = await build('docked', { Dockerfile: 'BOGUS\n' })
  expect(wrong.error?.message).toMatch(/^Build pod exited with code \d+, stopping build\.$/)
})

test('a registry that wants tokens: a build has one for its app, and its image is there', async () => {
  await using sealed = await SealedRegistry.start()
  await sealed.push(tools, 'sealed:base')
  const { buildpacks } = jobs()
  await using opened = closing(
    await open({ buildpacks: { ...buildpacks, runImage: `${sealed.host}/sealed:base` } }, sealed.access),
  )
  const files = { Dockerfile: `FROM ${sealed.host}/sealed:base\nRUN echo sealed > /x\n` }
  const docked = await build('sealed', files, {}, { by: opened.strategy })
  expect({ text: docked.error?.message, image: docked.result?.image }).toEqual({ image: 'sealed:git-1a2b3c4d' })
  const packed = await build('sealed', nodeApp, {}, { by: opened.strategy })
  expect({ text: packed.error?.message, image: packed.result?.image }).toEqual({ image: 'sealed:git-1a2b3c4d' })
  // What is another app's is out of its reach.
  await sealed.push(tools, 'other:base')
  const stolen = { Dockerfile: `FROM ${sealed.host}/other:base\n` }
  const refused = await build('sealed', stolen, {}, { by: opened.strategy })
  expect(refused.error?.kind).toBe('failed')
  expect(refused.lines.join('\n')).toMatch(/unauthorized|denied|authentication required/i)
})

test('it was let do what it asked for, and may do nothing that it never does', async () => {
  const requests = auditedRequests(api.directory, 'deis', 'deis-builder')
  const grants = await grantsOf((method, path) => api.request(method, path), 'deis', 'deis-builder')
  expect(requests.filter(({ status }) => status === 403)).toEqual([])
  const unused = grants.filter(grant => !requests.some(request => covers(grant, request))).map(describeGrant)
  // For Jobs whose Pod the cluster does not make.
  expect(unused).toEqual(['deis-builder: list events in deis'])
})

function closing(opened: KubernetesStrategy): AsyncDisposable & { readonly strategy: KubernetesStrategy } {
  return { strategy: opened, [Symbol.asyncDispose]: () => opened.close() }
}
