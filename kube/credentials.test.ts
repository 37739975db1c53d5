import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { User } from '@kubernetes/client-node/dist/config_types.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { execCredentials, tokenFileCredentials } from './credentials.ts'

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'credentials-'))
})
afterAll(() => rm(directory, { recursive: true }))

test('a token file is read again after 10 s', async () => {
  const file = join(directory, 'rotating')
  await writeFile(file, 'one')
  let now = 0
  const credentials = tokenFileCredentials(file, () => now)
  const token = async (): Promise<string | null> => (await credentials.current()).authorization
  expect(await token()).toBe('Bearer one')
  await writeFile(file, 'two')
  now = 9_999
  expect(await token()).toBe('Bearer one')
  now = 10_000
  expect(await token()).toBe('Bearer two')
})

test('a token that was refused is read again at once; an older one changes nothing', async () => {
  const file = join(directory, 'refused')
  await writeFile(file, 'one')
  const credentials = tokenFileCredentials(file, () => 0)
  const one = await credentials.current()
  await writeFile(file, 'two')
  credentials.refused({ ...one, authorization: 'Bearer zero' })
  expect((await credentials.current()).authorization).toBe('Bearer one')
  credentials.refused(one)
  expect((await credentials.current()).authorization).toBe('Bearer two')
})

test('a token file that vanishes or is emptied leaves the last token', async () => {
  const file = join(directory, 'vanishing')
  let now = 0
  const credentials = tokenFileCredentials(file, () => now)
  await expect(credentials.current()).rejects.toThrow(/vanishing: ENOENT/)
  await writeFile(file, 'one')
  expect((await credentials.current()).authorization).toBe('Bearer one')
  await writeFile(file, ' \n')
  now = 60_000
  expect((await credentials.current()).authorization).toBe('Bearer one')
  await rm(file)
  expect((await credentials.current()).authorization).toBe('Bearer one')
})

const cluster = { server: 'https://api.example' }

/** A plugin that writes a line to `runs` each time and then does what `script` says. */
async function plugin(name: string, script: string): Promise<{ user: User; runs: () => Promise<number> }> {
  const command = join(directory, name)
  const runs = join(directory, `${name}.runs`)
  await writeFile(command, `#!/bin/sh\necho run >>${runs}\n${script}\n`)
  await chmod(command, 0o755)
  return {
    user: { name: 'u', exec: { command, apiVersion: 'client.authentication.k8s.io/v1' } },
    runs: async () => (await readFile(runs, 'utf8')).split('\n').length - 1,
  }
}

const answer = (status: object): string =>
  `cat <<'END'\n${JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status })}\nEND`

test('an exec plugin runs once for all who wait, and again when its token has expired', async () => {
  const past = { token: 't', expirationTimestamp: '2020-01-01T00:00:00Z' }
  const { user, runs } = await plugin('expiring', answer(past))
  const credentials = execCredentials(user, cluster, () => 0)
  const all = await Promise.all(Array.from({ length: 20 }, () => credentials.current()))
  expect(new Set(all.map(one => one.authorization))).toEqual(new Set(['Bearer t']))
  expect(await runs()).toBe(1)
  await credentials.current()
  expect(await runs()).toBe(2)
})

test('an exec plugin may hand out a certificate, which is kept until refused', async () => {
  const { user, runs } = await plugin('issuing', answer({ clientCertificateData: 'CERT', clientKeyData: 'KEY' }))
  let now = 0
  const credentials = execCredentials(user, cluster, () => now)
  const first = await credentials.current()
  expect(first).toEqual({ authorization: null, cert: 'CERT', key: 'KEY' })
  await credentials.current()
  credentials.refused(first)
  await credentials.current()
  expect(await runs()).toBe(1)
  now = 10_000
  credentials.refused(first)
  await credentials.current()
  expect(await runs()).toBe(2)
})

test('an exec plugin is told about its task', async () => {
  const file = join(directory, 'info')
  const { user } = await plugin('told', `printf %s "$KUBERNETES_EXEC_INFO$EXTRA" >${file}\n${answer({ token: 't' })}`)
  const exec = { ...user.exec, provideClusterInfo: true, env: [{ name: 'EXTRA', value: '!' }] }
  await execCredentials({ ...user, exec }, cluster, () => 0).current()
  const [info, extra] = (await readFile(file, 'utf8')).split(/(?<=\})(?=!)/)
  expect(extra).toBe('!')
  expect(JSON.parse(info ?? '')).toEqual({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive: false, cluster },
  })
})

const failing: [name: string, script: string, message: RegExp][] = [
  ['says why', 'echo; echo "log in first" >&2; echo more >&2; exit 1', /failing-\d: log in first$/],
  ['says nothing', 'exit 1', /did not say why$/],
  ['prints a bare token', 'echo hunter2', /its output is not an ExecCredential$/],
]
for (const [index, [name, script, message]] of failing.entries()) {
  test(`an exec plugin that fails is not run again for 5 s: it ${name}`, async () => {
    const { user, runs } = await plugin(`failing-${index}`, script)
    let now = 0
    const credentials = execCredentials(user, cluster, () => now)
    await expect(credentials.current()).rejects.toThrow(message)
    await expect(credentials.current()).rejects.toThrow(message)
    expect(await runs()).toBe(1)
    now = 5_000
    await expect(credentials.current()).rejects.toThrow(message)
    expect(await runs()).toBe(2)
  })
}

test('an exec plugin that does not exist is an error with its name', async () => {
  const user: User = { name: 'u', exec: { command: '/nowhere/plugin', apiVersion: 'v1' } }
  await expect(execCredentials(user, cluster, () => 0).current()).rejects.toThrow(/plugin \/nowhere\/plugin: spawn/)
})
