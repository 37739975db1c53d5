// What a push becomes, as objects (builder contract, sections 5 to 8).

import { describe, expect, test } from 'vitest'
import { planOf } from './job.ts'
import type { BuildContainer } from './job-types.ts'
import { buildName } from './names.ts'
import { type JobOptions, standardJobOptions } from './options.ts'
import type { BuildPlan } from './pod-parts.ts'

const commit = '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d'
const options: JobOptions = {
  ...standardJobOptions,
  namespace: 'deis',
  fetch: { image: 'deis:1', command: ['fetch'] },
  buildpacks: { ...standardJobOptions.buildpacks, image: 'builder:1' },
  dockerfiles: { ...standardJobOptions.dockerfiles, image: 'buildah:1' },
}

function plan(config: Record<string, string> = {}, changes: Partial<BuildPlan> = {}, given: Partial<JobOptions> = {}) {
  const target = { host: 'registry:80', isPlain: true, token: null }
  const source = { url: 'http://builder/sources/1', token: 'secret-token' }
  const request = { app: 'shop', commit, config }
  const { job, secret } = planOf(
    { kind: 'buildpacks', name: 'slugbuild-shop-1a2b3c4d-00000000', request, source, target, ...changes },
    { ...options, ...given },
  )
  const pod = job.spec.template.spec
  const builder = pod.containers[0]!
  return { job, secret, pod, builder, fetch: pod.initContainers[0]! }
}

const texts = (secret: { readonly data: Readonly<Record<string, string>> }) =>
  Object.fromEntries(Object.entries(secret.data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
const variableOf = (container: BuildContainer, name: string) => container.env.find(each => each.name === name)

const names: readonly (readonly [kind: BuildPlan['kind'], app: string, want: string])[] = [
  ['buildpacks', 'shop', 'slugbuild-shop-1a2b3c4d-0a0b0c0d'],
  ['dockerfile', 'shop', 'dockerbuild-shop-1a2b3c4d-0a0b0c0d'],
  ['buildpacks', 'a'.repeat(63), `slugbuild-${'a'.repeat(35)}-1a2b3c4d-0a0b0c0d`],
  ['dockerfile', 'a'.repeat(63), `dockerbuild-${'a'.repeat(33)}-1a2b3c4d-0a0b0c0d`],
  ['buildpacks', `${'a'.repeat(34)}-${'b'.repeat(20)}`, `slugbuild-${'a'.repeat(34)}-1a2b3c4d-0a0b0c0d`],
]
test.each(names)('names: %s of %s', (kind, app, want) => {
  const name = buildName(kind, app, commit, '0a0b0c0d')
  expect(name).toBe(want)
  expect(name.length).toBeLessThanOrEqual(63)
})

describe.each(['buildpacks', 'dockerfile'] as const)('%s', kind => {
  const { job, pod, secret } = plan({ GREETING: 'hello' }, { kind })

  test('runs once, for so long, and is kept for a while', () => {
    expect(job.spec).toMatchObject({
      suspend: true,
      backoffLimit: 0,
      activeDeadlineSeconds: 1860,
      ttlSecondsAfterFinished: 300,
    })
    expect(pod).toMatchObject({ restartPolicy: 'Never', activeDeadlineSeconds: 1800 })
    expect(job.metadata.labels).toEqual({
      heritage: job.metadata.name,
      'build.deis.io/app': 'shop',
      'app.kubernetes.io/managed-by': 'deis-builder',
    })
    expect(job.spec.template.metadata.labels).toEqual(job.metadata.labels)
  })

  test('has no account, no root, no privileges, and limits', () => {
    expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false })
    const user = kind === 'buildpacks' ? 1000 : 0x7000_0000
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: user, fsGroup: user })
    expect(pod.securityContext.seccompProfile.type).toBe('RuntimeDefault')
    for (const container of [...pod.initContainers, ...pod.containers]) {
      if (container.name !== 'deis-dockerbuilder')
        expect(container.securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } })
      expect(container.securityContext).toMatchObject({ allowPrivilegeEscalation: false })
      expect(Object.keys(container.resources.limits)).toEqual(['cpu', 'memory', 'ephemeral-storage'])
    }
  })

  test('no secret is in what everybody reads who may read Jobs', () => {
    const text = JSON.stringify(
      plan({ PASSWORD: 'hunter2' }, { kind, target: { host: 'r', isPlain: false, token: 'registry-token' } }).job,
    )
    for (const value of ['hunter2', 'secret-token', 'registry-token']) expect(text).not.toContain(value)
    expect(texts(secret)).toMatchObject({ 'source-token': 'secret-token', 'config.GREETING': 'hello' })
    expect(secret.metadata.name).toBe(job.metadata.name)
  })

  test('names of config that no file and no variable can have are left out', () => {
    const odd = plan({ 'a/b': '1', '..': '2', 'X-Y': '3', '9': '4', ok_1: '5' }, { kind })
    const keys = Object.keys(texts(odd.secret)).filter(key => key.startsWith('config.'))
    expect(keys.filter(key => key !== 'config.SOURCE_VERSION')).toEqual(['config.ok_1'])
  })
})

const creatorArguments: readonly (readonly [
  name: string,
  config: Record<string, string>,
  changes: Partial<BuildPlan>,
  given: Partial<JobOptions>,
  has: readonly string[],
  hasNot: readonly string[],
])[] = [
  [
    'a cache, and the last image',
    {},
    {},
    {},
    ['-cache-image=registry:80/shop/cache:latest', '-previous-image=registry:80/shop:latest'],
    ['-skip-restore'],
  ],
  [
    'DEIS_DISABLE_CACHE',
    { DEIS_DISABLE_CACHE: '' },
    {},
    {},
    ['-skip-restore'],
    ['-cache-image=registry:80/shop/cache:latest'],
  ],
  ['a run image', {}, {}, { buildpacks: { ...options.buildpacks, runImage: 'run:1' } }, ['-run-image=run:1'], []],
  [
    'BUILDPACK_URL',
    { BUILDPACK_URL: 'https://x/y.git' },
    {},
    {},
    ['-buildpacks=/buildpack/buildpacks', '-order=/buildpack/order.toml'],
    [],
  ],
  ['an empty BUILDPACK_URL', { BUILDPACK_URL: '' }, {}, {}, [], ['-order=/buildpack/order.toml']],
]
test.each(creatorArguments)('the lifecycle is told of %s', (_name, config, changes, given, has, hasNot) => {
  const { builder } = plan(config, changes, given)
  expect(builder.args).toEqual(expect.arrayContaining([...has]))
  for (const each of hasNot) expect(builder.args).not.toContain(each)
  expect(builder.args?.at(-1)).toBe('registry:80/shop:git-1a2b3c4d')
  expect(builder.command).toEqual(['/cnb/lifecycle/creator'])
})

test('buildpacks get the config as files; nothing of it is in the environment of a program of ours', () => {
  const { pod, builder } = plan({ GREETING: 'hello', PATH: '/evil' })
  expect(pod.volumes.find(({ name }) => name === 'platform')?.secret?.items).toEqual([
    { key: 'config.SOURCE_VERSION', path: 'SOURCE_VERSION' },
    { key: 'config.GREETING', path: 'GREETING' },
    { key: 'config.PATH', path: 'PATH' },
  ])
  expect(builder.env.map(({ name }) => name)).toEqual(['CNB_PLATFORM_API', 'CNB_NO_COLOR', 'CNB_INSECURE_REGISTRIES'])
})

test('the registry is given a token when it wants one, and TLS when it has it', () => {
  const { builder, secret, fetch } = plan({}, { target: { host: 'registry', isPlain: false, token: 'abc' } })
  expect(builder.env.map(({ name }) => name)).toEqual(['CNB_PLATFORM_API', 'CNB_NO_COLOR', 'CNB_REGISTRY_AUTH'])
  expect(texts(secret)['registry-auth']).toBe('{"registry":"Bearer abc"}')
  expect(fetch.env.map(({ name }) => name)).not.toContain('CNB_REGISTRY_AUTH')
})

test('a Dockerfile is built in a user name space of its own, which takes two capabilities to make (ADR 18)', () => {
  const { pod, builder } = plan({}, { kind: 'dockerfile' })
  expect(pod.hostUsers).toBe(undefined)
  expect(builder.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'], add: ['SETGID', 'SETUID'] },
    ...{ runAsNonRoot: false, runAsUser: 0, runAsGroup: 0 },
    seccompProfile: { type: 'Unconfined' },
    appArmorProfile: { type: 'Unconfined' },
  })
  expect(builder.command[2]).toContain('0 1879048192 65536')
})

test('or in one that the Pod has from its cluster, with the runtime’s filter', () => {
  const dockerfiles = { ...options.dockerfiles, userNamespace: 'pod' } as const
  const { pod, builder } = plan({}, { kind: 'dockerfile' }, { dockerfiles })
  expect(pod.hostUsers).toBe(false)
  expect(builder.securityContext.seccompProfile).toBe(undefined)
  expect(builder.securityContext.capabilities.add).toContain('SYS_ADMIN')
  expect(builder.command[2]).not.toContain('uid_map')
  // Nothing else gets one: an older cluster would not notice, and run its Pods as root.
  expect(plan({}, { kind: 'buildpacks' }, { dockerfiles }).pod.hostUsers).toBe(undefined)
})

test('a Dockerfile gets all of the config, but for what would change how buildah runs (section 8)', () => {
  const config = { GREETING: 'hello', PATH: '/evil', LD_PRELOAD: 'x', IMG_NAME: 'other', SOURCE_VERSION: 'mine' }
  const { builder } = plan(config, { kind: 'dockerfile' })
  expect(variableOf(builder, 'GREETING')?.valueFrom?.secretKeyRef.key).toBe('config.GREETING')
  expect(builder.env.filter(({ name }) => ['PATH', 'LD_PRELOAD'].includes(name))).toEqual([])
  expect(builder.env.filter(({ name }) => name === 'IMG_NAME')).toEqual([
    { name: 'IMG_NAME', value: 'shop:git-1a2b3c4d' },
  ])
  expect(variableOf(builder, 'ARGUMENTS')?.value).toBe('')
  const enabled = plan({ ...config, DEIS_DOCKER_BUILD_ARGS_ENABLED: '0' }, { kind: 'dockerfile' })
  expect(variableOf(enabled.builder, 'ARGUMENTS')?.value).toContain('GREETING')
  expect(enabled.builder.image).toBe('buildah:1')
})
