import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exitCode } from '#kit/exit.ts'
import { inClusterAccess, KubeconfigError, loadKubeconfig } from './kubeconfig.ts'

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubeconfig-'))
})
afterAll(() => rm(directory, { recursive: true }))

const ca = rootCertificates[0] ?? ''

let count = 0
async function write(text: string): Promise<string> {
  const file = join(directory, `config-${count++}`)
  await writeFile(file, text)
  return file
}

interface Parts {
  readonly cluster?: Record<string, unknown>
  readonly user?: Record<string, unknown>
  readonly config?: Record<string, unknown>
}

function config({ cluster = {}, user = {}, config = {} }: Parts): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: 'https://api.example:6443', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'deis' } }],
    'current-context': 'x',
    ...config,
  })
}

test('server and namespace come from the current context', async () => {
  const access = await loadKubeconfig(await write(config({})))
  expect([access.server.href, access.namespace]).toEqual(['https://api.example:6443/', 'deis'])
})

test('YAML is read as well, and a path in the server stays', async () => {
  const file = await write(
    [
      'clusters: [{name: c, cluster: {server: "http://127.0.0.1:8001/k8s/c-1/"}}]',
      'contexts: [{name: x, context: {cluster: c}}]',
      'current-context: x',
    ].join('\n'),
  )
  const access = await loadKubeconfig(file)
  expect([access.server.pathname, access.namespace]).toEqual(['/k8s/c-1', null])
})

const users: [name: string, user: Record<string, unknown>, want: string | null][] = [
  ['nobody', {}, null],
  ['a token', { token: 'abc' }, 'Bearer abc'],
  ['a password', { username: 'me', password: 'secret' }, `Basic ${btoa('me:secret')}`],
  ['a token before a password', { token: 'abc', username: 'me', password: 'secret' }, 'Bearer abc'],
  ['a token file beside the kubeconfig, before a token', { tokenFile: 'tok', token: 'abc' }, 'Bearer from-file'],
]
for (const [name, user, want] of users) {
  test(`user: ${name}`, async () => {
    await writeFile(join(directory, 'tok'), 'from-file\n')
    const access = await loadKubeconfig(await write(config({ user })))
    expect((await access.credentials.current()).authorization).toBe(want)
  })
}

test('impersonation goes into the headers', async () => {
  const user = { as: 'jane', 'as-uid': '7', 'as-groups': ['a', 'b'], 'as-user-extra': { 'Team/X': ['y'] } }
  expect((await loadKubeconfig(await write(config({ user })))).headers).toEqual({
    'impersonate-user': 'jane',
    'impersonate-uid': '7',
    'impersonate-group': ['a', 'b'],
    'impersonate-extra-team%2Fx': ['y'],
  })
})

test('files are relative to the kubeconfig, and read again for each connection', async () => {
  await writeFile(join(directory, 'ca.crt'), ca)
  const cluster = { 'certificate-authority': 'ca.crt', 'tls-server-name': 'kubernetes' }
  const access = await loadKubeconfig(await write(config({ cluster })))
  expect(await access.tls()).toEqual({ ca: Buffer.from(ca), servername: 'kubernetes', rejectUnauthorized: true })
  await writeFile(join(directory, 'ca.crt'), 'renewed')
  expect((await access.tls()).ca?.toString()).toBe('renewed')
})

test('inline data is base64, and verification can be off', async () => {
  const cluster = { 'certificate-authority-data': btoa(ca), 'insecure-skip-tls-verify': true }
  const access = await loadKubeconfig(await write(config({ cluster })))
  expect(await access.tls()).toEqual({ ca: Buffer.from(ca), rejectUnauthorized: false })
})

const wrong: [name: string, text: string, message: string][] = [
  ['not YAML', 'token: "hunter2', 'it is not YAML'],
  ['a list', '[]', 'it is not a kubeconfig'],
  ['empty', '', 'it is not a kubeconfig'],
  ['no current context', config({ config: { 'current-context': undefined } }), 'current-context is missing'],
  ['an unknown context', config({ config: { 'current-context': 'y' } }), 'there is no context "y"'],
  ['an unknown cluster', config({ config: { clusters: [] } }), 'there is no cluster "c"'],
  ['an unknown user', config({ config: { users: [] } }), 'there is no user "u"'],
  ['a cluster without a server', config({ cluster: { server: undefined } }), 'clusters[0].cluster.server is missing'],
  ['a server that is no URL', config({ cluster: { server: 'api.example' } }), 'is not an http or https URL'],
  ['a CA file that is missing', config({ cluster: { 'certificate-authority': 'gone.crt' } }), 'gone.crt'],
  ['a CA that is no certificate', config({ cluster: { 'certificate-authority-data': 'aGk=' } }), 'is not usable'],
  ['a key without PEM', config({ user: { 'client-key-data': btoa('hunter2') } }), 'is not usable'],
  ['exec without a command', config({ user: { exec: {} } }), 'exec.command of the user is missing'],
  ['a provider of old', config({ user: { 'auth-provider': { name: 'gcp' } } }), 'auth-provider "gcp" is gone'],
  ['a proxy', config({ cluster: { 'proxy-url': 'socks5://p' } }), 'proxy-url is not supported'],
]
for (const [name, text, message] of wrong) {
  test(`refused in one line that names the file: ${name}`, async () => {
    const file = await write(text)
    const error: unknown = await loadKubeconfig(file).then(
      () => null,
      reason => reason,
    )
    if (!(error instanceof KubeconfigError)) throw new Error(`not refused: ${error}`)
    expect(error.message).toContain(`kubeconfig ${file}: `)
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('\n')
    expect(error.message).not.toContain('hunter2')
    expect(error.exitCode).toBe(exitCode.usage)
  })
}

test('a kubeconfig that is not there is refused', async () => {
  await expect(loadKubeconfig(join(directory, 'none'))).rejects.toThrow(/none: cannot read it: ENOENT/)
})

async function serviceAccount(files: Readonly<Record<string, string>>): Promise<string> {
  const mount = join(directory, `sa-${count++}`)
  await mkdir(mount)
  for (const [name, text] of Object.entries(files)) await writeFile(join(mount, name), text)
  return mount
}

test('in a pod, everything comes from the environment and the mounted service account', async () => {
  const mount = await serviceAccount({ token: 'sa-token', 'ca.crt': ca, namespace: 'deis' })
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }
  const access = await inClusterAccess({ env, directory: mount })
  expect([access.server.href, access.namespace]).toEqual(['https://[fd00::1]:6443/', 'deis'])
  expect((await access.credentials.current()).authorization).toBe('Bearer sa-token')
  expect((await access.tls()).ca?.toString()).toBe(ca)
})

const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' }
const outside: [name: string, env: Record<string, string>, files: Record<string, string>, message: RegExp][] = [
  ['no environment', {}, { token: 't', 'ca.crt': ca }, /not in a pod/],
  ['no token', env, { 'ca.crt': ca }, /there is no token/],
  ['no CA', env, { token: 't' }, /ca\.crt/],
]
for (const [name, environment, files, message] of outside) {
  test(`a pod without what we need is refused: ${name}`, async () => {
    const mount = await serviceAccount(files)
    const loading = inClusterAccess({ env: environment, directory: mount })
    await expect(loading).rejects.toThrow(KubeconfigError)
    await expect(loading).rejects.toThrow(message)
  })
}
