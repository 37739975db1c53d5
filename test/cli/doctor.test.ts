// What the doctor finds, and how the router's explanation is shown.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Explained, explainedLines } from '#cli/commands/router.ts'
import { processesCheck } from '#cli/doctor/app.ts'
import { selfSign } from '#kit/self-signed.ts'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { publicKey } from '#test/support/public-key.ts'
import { Terminal } from '#test/support/terminal.ts'

let stage: ControllerStage
let terminal: Terminal
const builder = createServer(socket => socket.end('SSH-2.0-deis-builder\r\n'))

beforeAll(async () => {
  stage = await ControllerStage.start({ times: quick })
  terminal = await Terminal.open()
  await once(builder.listen(0, '127.0.0.1'), 'listening')
})
afterAll(async () => {
  builder.close()
  await terminal?.[Symbol.asyncDispose]()
  await stage?.[Symbol.asyncDispose]()
})

const doctor = async (
  more = '',
): Promise<{ readonly code: number; readonly states: Record<string, string>; readonly out: string }> => {
  const env = { DEIS_BUILDER_PORT: String((builder.address() as AddressInfo).port) }
  const { code, out } = await terminal.deis(`doctor --json ${more}`.trim(), { env })
  const { checks } = JSON.parse(out) as { checks: { name: string; state: string }[] }
  return { code, out, states: Object.fromEntries(checks.map(({ name, state }) => [name, state])) }
}

test('nobody is logged in', async () => {
  const said = await terminal.deis('doctor')
  expect([said.code, said.out.split('\n')]).toEqual([
    1,
    [
      `fail  profile: Client configuration file not found at: ${terminal.home}/.deis/client.json Are you logged in? Use 'deis login' or 'deis register' to get started. -> deis login <controller>`,
      '1 of 1 checks failed.',
      '',
    ],
  ])
})

test('from nothing to all that is needed', async () => {
  await terminal.deis(`register http://deis.localhost:${stage.controller.port} --username=alice --password=x --email=`)
  const good = { profile: 'ok', controller: 'ok', 'API version': 'ok', token: 'ok', builder: 'ok' }
  expect(await doctor()).toMatchObject({
    code: 1,
    states: { ...good, 'SSH keys': 'fail', app: 'warn', 'git remote': 'warn' },
  })

  const ssh = join(terminal.home, '.ssh')
  await mkdir(ssh)
  await writeFile(join(ssh, 'id.pub'), `${publicKey().text} me@home\n`)
  await terminal.deis(`keys:add ${ssh}/id.pub`)
  expect((await doctor()).states['SSH keys']).toBe('warn')
  await writeFile(join(ssh, 'id'), 'private')

  execFileSync('git', ['init', '-q'], { cwd: terminal.directory, env: terminal.env })
  await terminal.deis('create shop')
  expect(await doctor()).toMatchObject({
    code: 0,
    states: {
      ...good,
      'SSH keys': 'ok',
      app: 'ok',
      'git remote': 'ok',
      processes: 'ok',
      'DNS of shop': 'ok',
      certificates: 'ok',
    },
  })
  expect((await terminal.deis('doctor')).out).toContain('ok    app: shop\n')

  // A name without an address, and certificates that end or have ended, by the clock of the one who looks.
  await terminal.deis('domains:add www.deis.invalid')
  const pair = selfSign(['www.deis.invalid'], 20, Date.now())
  await writeFile(join(terminal.directory, 'c'), pair.chain)
  await writeFile(join(terminal.directory, 'k'), pair.key)
  await terminal.deis('certs:add main c k')
  await terminal.deis('certs:attach main www.deis.invalid')
  expect(await doctor()).toMatchObject({
    code: 1,
    states: { 'DNS of www.deis.invalid': 'fail', 'certificate of www.deis.invalid': 'warn' },
  })
  await terminal.deis('domains:remove www.deis.invalid')
  // People looked for who had made that name up.
  await terminal.deis('domains:add *.deis.invalid')
  expect((await terminal.deis('doctor')).out).toContain(
    'fail  DNS of *.deis.invalid: deis-doctor.deis.invalid (tried as one of all the names under *.deis.invalid) has no address',
  )
  await terminal.deis('domains:remove *.deis.invalid')
  expect((await doctor('-a nothing')).states.app).toBe('fail')
})

test('a builder that is not there, or is something else', async () => {
  const port = (builder.address() as AddressInfo).port
  const other = createServer(socket => socket.end('HTTP/1.1 400\r\n\r\n'))
  await once(other.listen(0, '127.0.0.1'), 'listening')
  const at = (other.address() as AddressInfo).port
  const said = await terminal.deis('doctor', { env: { DEIS_BUILDER_PORT: String(at) } })
  expect(said.out).toContain(`fail  builder: deis-builder.localhost:${at} does not speak SSH`)
  other.close()
  await once(other, 'close')
  const gone = await terminal.deis('doctor', { env: { DEIS_BUILDER_PORT: String(at) } })
  expect(gone.out).toContain(`fail  builder: deis-builder.localhost:${at} cannot be reached (ECONNREFUSED)`)
  expect(port).not.toBe(at)
})

test('a profile that others can read, a token that is none, a controller that is away', async () => {
  const file = join(terminal.home, '.deis/client.json')
  const profile = {
    username: 'alice',
    ssl_verify: true,
    controller: `http://deis.localhost:${stage.controller.port}`,
    token: 'x',
  }
  await rm(file)
  await writeFile(file, JSON.stringify(profile), { mode: 0o644 })
  expect(await doctor()).toMatchObject({ code: 1, states: { profile: 'warn', token: 'fail' } })
  await writeFile(
    file,
    JSON.stringify({ ...profile, controller: `http://127.0.0.1:${(builder.address() as AddressInfo).port}` }),
  )
  expect((await doctor()).states.controller).toBe('fail')
})

// All was well, it said, while the app had not one process.
test.each([
  ['nothing pushed', {}, [], 'ok', 'shop is to have none, by what was pushed and scaled'],
  ['scaled down', { web: 0 }, [], 'ok', 'shop is to have none, by what was pushed and scaled'],
  ['up', { web: 2, worker: 0 }, ['web up', 'web starting'], 'ok', '1 up (web)'],
  ['gone', { web: 1 }, [], 'fail', 'shop has none that is up: web (none is there)'],
  [
    ...(['crashing', { web: 2 }, ['web crashed', 'web crashed', 'web starting'], 'fail'] as const),
    'shop has none that is up: web (crashed, starting)',
  ],
  ['one of two', { web: 1, worker: 1 }, ['web up', 'worker crashed'], 'warn', 'none is up of worker (crashed)'],
] as const)('processes: %s', (_what, structure, pods, state, found) => {
  const records = pods.map(pod => ({ type: pod.split(' ')[0]!, state: pod.split(' ')[1]! }))
  const check = processesCheck('shop', structure, records)
  expect([check.state, check.found, check.advice?.includes('deis logs -a shop') ?? false]).toEqual([
    ...[state, found],
    state !== 'ok',
  ])
})

test('an explanation of the router', () => {
  const service = { kind: 'Service', namespace: 'shop', name: 'shop' }
  const explained: Explained = {
    url: 'https://www.example.com/cart',
    outcome: { status: 301, location: 'https://example.com/', text: 'The router redirects.' },
    route: { app: 'shop', host: 'www.example.com', path: '/cart*', object: service, text: 'The longest path wins.' },
    certificate: {
      names: ['example.com'],
      matches: false,
      expires: '2027-01-02T00:00:00Z',
      text: 'The route names it.',
    },
    policies: [{ kind: 'maintenance', effect: 'passes', text: 'It is off.' }],
    upstream: {
      ...{ id: 'shop/shop:80', total: 2, ready: 1 },
      endpoints: [
        { address: '10.0.0.1:8080', state: 'ready', used: true },
        { address: '10.0.0.2:8080', state: 'not-ready', used: false },
      ],
    },
    others: [{ host: '*.example.com', path: '/', object: null, text: 'The winner’s host says more.' }],
    othersLeftOut: 3,
    problems: [{ severity: 'warning', object: service, message: 'A value is wrong.' }],
    nearest: ['www.example.org'],
  }
  expect(explainedLines(explained)).toEqual([
    '=== https://www.example.com/cart',
    'The router redirects. (301) -> https://example.com/',
    '',
    '--- Route',
    'www.example.com /cart* of the app shop (Service shop/shop)',
    'The longest path wins.',
    '',
    '--- Certificate',
    'example.com, until 2 Jan 2027',
    'The route names it.',
    'It is not for this host: clients complain.',
    '',
    '--- Policies',
    'maintenance passes: It is off.',
    '',
    '--- Endpoints',
    '1 of 2 ready in shop/shop:80',
    '10.0.0.1:8080 ready',
    '10.0.0.2:8080 not-ready (takes no requests now)',
    '',
    '--- Others that want it',
    '*.example.com: The winner’s host says more.',
    'and 3 more',
    '',
    '--- Problems',
    'warning (Service shop/shop): A value is wrong.',
    '',
    '--- Did you mean',
    'www.example.org',
  ])
  expect(explainedLines({})).toEqual(['=== ', 'The router does not tell what becomes of it.'])
})
