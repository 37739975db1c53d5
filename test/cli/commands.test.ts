// Every command against a real controller: what it says, whole (contract of the command line, sections 5, 6 and 8).

import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { version } from '#kit/version.ts'
import { ControllerStage, idleProcfile, quick } from '#test/support/controller-stage.ts'
import { publicKey } from '#test/support/public-key.ts'
import { type Said, Terminal } from '#test/support/terminal.ts'

let stage: ControllerStage
let terminal: Terminal
let url: string
let image: string
let profile: string

beforeAll(async () => {
  stage = await ControllerStage.start({ times: quick })
  terminal = await Terminal.open()
  url = `http://deis.localhost:${stage.controller.port}`
  profile = join(terminal.home, '.deis/client.json')
  image = await stage.image()
  await deis(`register ${url} --username=alice --password=secret --email=alice@example.com`)
  await deis(`register ${url} --username=bob --password=secret --email= --login=false`)
  await deis(`login ${url} --username=bob --password=secret -c bob`)
})

beforeAll(async () => {
  await deis('create shop --no-remote')
  await deis('routing:disable -a shop')
  const procfile = Object.entries(idleProcfile).map(([type, command]) => `${type}: ${command}\n`)
  await writeFile(join(terminal.directory, 'Procfile'), procfile.join(''))
  expect(await deis(`pull ${image} -a shop`)).toEqual({ code: 0, out: 'Creating build... done\n', err: '' })
})

afterAll(async () => {
  await terminal?.[Symbol.asyncDispose]()
  await stage?.[Symbol.asyncDispose]()
})

const deis = (line: string, input?: string): Promise<Said> => terminal.deis(line, input === undefined ? {} : { input })

/** What differs from run to run, as words. */
function blur(text: string): string {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
    .replace(/-[a-z0-9]{8,10}-[a-z0-9]{5}\b/g, '-HASH-POD')
    .replace(/done in \d+s/g, 'done in Ns')
    .replace(/\) \d+s$/gm, ') AGE')
    .replaceAll(image, 'IMAGE')
}

/** Versions of releases too: how many there are depends on the tests before. */
function blurMore(text: string): string {
  return blur(text).replace(/\bv\d+\b/g, 'vN')
}

/** A row: what is typed, and what is said; stderr of a failure is what follows its code. */
type Row = readonly [line: string, out: string, failure?: string]

async function play(rows: readonly Row[], seen = blur): Promise<void> {
  for (const [line, out, failure] of rows) {
    const said = await deis(line)
    expect([line, seen(said.out), said.err, said.code]).toEqual([
      line,
      out,
      failure ?? '',
      failure === undefined ? 0 : 1,
    ])
  }
}

describe('users', () => {
  test('who somebody is', async () => {
    await play([
      ['whoami', `You are alice at ${url}\n`],
      [
        'whoami --all',
        'ID: 0\nUsername: alice\nEmail: alice@example.com\nFirst Name: \nLast Name: \nLast Login: TIME\n' +
          'Is Superuser: true\nIs Staff: true\nIs Active: true\nDate Joined: TIME\n',
      ],
      ['whoami -c bob', `You are bob at ${url}\n`],
      ['users', '=== Users (*=admin)\n*alice\nbob\n'],
      ['users -l 1', '=== Users (*=admin) (1 of 2)\n*alice\n'],
      ['users -c bob', '', 'Error: You do not have permission to perform this action.\n'],
      [
        `register ${url} --username=alice --password=x --email=`,
        '',
        'Registration failed: Error: A user with that username already exists.\n',
      ],
      [`login ${url} --username=alice --password=wrong`, '', 'Error: Unable to log in with provided credentials.\n'],
    ])
  })

  test('the profile is for its owner alone, and as the original keeps it', async () => {
    expect((await stat(profile)).mode & 0o777).toBe(0o600)
    expect((await stat(join(terminal.home, '.deis'))).mode & 0o777).toBe(0o700)
    const kept = JSON.parse(await readFile(profile, 'utf8'))
    expect(kept).toEqual({
      ...{ username: 'alice', ssl_verify: true, controller: url, response_limit: 0 },
      token: expect.stringMatching(/^[0-9a-f]{40}$/),
    })
  })

  test('what is not given is asked for', async () => {
    const said = await deis(`register ${url} --login=false`, 'carol\nsecret\nsecret\n\n')
    expect(said).toEqual({
      code: 0,
      out: 'username: password: \npassword (confirm): \nemail: Registered carol\n',
      err: '',
    })
    expect(await deis(`register ${url}`, 'dave\none\ntwo\n')).toMatchObject({
      code: 1,
      err: 'Error: Password mismatch, aborting registration.\n',
    })
    expect(await deis(`login ${url} -c carol`, 'carol\nsecret\n')).toEqual({
      code: 0,
      out: `username: password: \nLogged in as carol\nConfiguration file written to ${terminal.home}/.deis/carol.json\n`,
      err: '',
    })
    expect(await deis('passwd -c carol', 'secret\nsecret2\nsecret2\n')).toMatchObject({
      code: 0,
      out: 'current password: \nnew password: \nnew password (confirm): \nPassword change succeeded.\n',
    })
    expect(await deis('passwd -c carol --password=bad --new-password=x')).toMatchObject({
      code: 1,
      err: 'Password change failed: Error: Unauthorized: Missing or Invalid Token\nIs the current password right?\n',
    })
    expect(await deis('auth:cancel -c carol --username=carol', 'n\n')).toEqual({
      code: 0,
      out: `cancel account carol at ${url}? (y/N): `,
      err: 'Account not changed\n',
    })
    expect(await deis('auth:cancel -c carol', 'carol\nsecret2\ny\n')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Please log in again in order to cancel this account\n.*Account cancelled\n$/s),
    })
    expect((await deis('whoami -c carol')).err).toBe(
      `Error: Client configuration file not found at: ${terminal.home}/.deis/carol.json\n` +
        "Are you logged in? Use 'deis login' or 'deis register' to get started.\n",
    )
  })

  test('who owns apps stays', async () => {
    expect((await deis('auth:cancel --username=alice --yes')).err).toBe(
      'Error: Failed to delete user because the user still has applications assigned. Delete or transfer ownership.\n',
    )
  })

  test('a new token is kept, and the old one is no good', async () => {
    const old = JSON.parse(await readFile(join(terminal.home, '.deis/bob.json'), 'utf8'))
    expect(await deis('auth:regenerate -c bob')).toMatchObject({ code: 0, out: 'Token Regenerated\n' })
    expect((await deis('apps -c bob')).code).toBe(0)
    await writeFile(join(terminal.home, '.deis/old.json'), JSON.stringify(old))
    expect((await deis('apps -c old')).err).toBe(
      `Error: Unauthorized: Missing or Invalid Token\n${url} does not know your token (any more): deis login ${url}\n`,
    )
    expect(await deis('auth:regenerate -u bob')).toMatchObject({ code: 0, out: 'Token Regenerated\n' })
    await deis(`login ${url} --username=bob --password=secret -c bob`)
  })

  test('logging out twice is fine', async () => {
    await deis(`login ${url} --username=bob --password=secret -c gone`)
    for (let round = 0; round < 2; round++)
      expect(await deis('logout -c gone')).toEqual({ code: 0, out: 'Logged out\n', err: '' })
  })
})

describe('apps', () => {
  test('made, listed, given away, destroyed', async () => {
    await play([
      [
        'create cart --no-remote',
        "Creating Application... done, created cart\nIf you want to add a git remote for this app later, use 'deis git:remote -a cart'\n",
      ],
      ['create cart --no-remote', 'Creating Application... \n', 'Error: Application with this id already exists.\n'],
      ['apps', '=== Apps\ncart\nshop\n'],
      ['apps --limit=1', '=== Apps (1 of 2)\ncart\n'],
      ['apps --limit=0', '=== Apps\ncart\nshop\n'],
      ['apps -l -1', '', 'Error: --limit must not be negative\n'],
      ['apps:transfer bob -a cart', 'Transferring cart to bob... done\n'],
      ['perms -a shop -c bob', '', 'Error: You do not have permission to perform this action.\n'],
      ['destroy -a cart --confirm=shop', '', 'Error: App cart does not match confirm shop, aborting.\n'],
      ['destroy -a cart --confirm=cart -c bob', 'Destroying cart...\ndone in Ns\n'],
      ['info -a shpo', '', 'Error: "No App matches the given query."\nDid you mean the app shop?\n'],
      [
        'run -a nothing-like-it -- echo x',
        "Running 'echo x'...\n",
        'Error: "No App matches the given query."\n\'deis apps\' lists those that you have access to.\n',
      ],
      [
        'apps:open',
        '',
        'Error: "No App matches the given query."\nThe app is named by --app, or by a git remote of this directory: deis git:remote -a <app>\n',
      ],
    ])
  })

  test('a destruction is confirmed by name', async () => {
    await deis('create cart --no-remote')
    const said = await deis('destroy -a cart', 'cart\n')
    expect(blur(said.out)).toBe(
      ' !    WARNING: Potentially Destructive Action\n !    This command will destroy the application: cart\n' +
        ' !    To proceed, type "cart" or re-run this command with --confirm=cart\n\n> Destroying cart...\ndone in Ns\n',
    )
  })

  test('info', async () => {
    await play([
      ['labels:set team=web -a shop', 'Applying labels on shop... done\n'],
      [
        'info -a shop',
        `=== shop Application\nupdated:  TIME\nuuid:     UUID\ncreated:  TIME\nurl:      shop.localhost:${stage.controller.port}\n` +
          'owner:    alice\nid:       shop\n\n=== shop Processes\n--- web:\nshop-web-HASH-POD up (v2)\n\n' +
          '=== shop Domains\nshop\n\n=== shop Label\nteam:      web\n\n',
      ],
      [
        'labels',
        '',
        'Error: "No App matches the given query."\nThe app is named by --app, or by a git remote of this directory: deis git:remote -a <app>\n',
      ],
      ['labels -a shop', '=== shop Label\nteam:      web\n'],
      ['labels:unset team -a shop', 'Removing labels on shop... done\n'],
      [
        'labels:unset team -a shop',
        'Removing labels on shop... \n',
        'Error: Unable to process your request: team does not exist under label\n',
      ],
      ['labels -a shop', '=== shop Label\nNo labels found.\n'],
    ])
  })

  test('open', async () => {
    const opener = join(terminal.directory, 'xdg-open')
    await writeFile(opener, '#!/bin/sh\necho "$1" > opened\n')
    await chmod(opener, 0o755)
    const env = { PATH: `${terminal.directory}:${process.env.PATH}` }
    const said = await terminal.deis('open -a shop', { env })
    expect(said).toEqual({ code: 0, out: '', err: '' })
    expect(await readFile(join(terminal.directory, 'opened'), 'utf8')).toBe(
      `http://shop.localhost:${stage.controller.port}\n`,
    )
    expect((await terminal.deis('open -a shop', { env: { PATH: '/nowhere' } })).err).toBe(
      `Error: xdg-open cannot be run: spawn xdg-open ENOENT\nOpen it yourself: http://shop.localhost:${stage.controller.port}\n`,
    )
  })

  test('run has the output and the exit code of what it ran', async () => {
    expect(await deis('run -a shop -- echo hi')).toEqual({ code: 0, out: "Running 'echo hi'...\nhi\n", err: '' })
    // Nobody could tell that the rest of it was missing.
    const long = await deis('run -a shop -- head -c 1100000 /dev/zero')
    expect([long.code, long.out.length]).toEqual([0, "Running 'head -c 1100000 /dev/zero'...\n".length + 1024 * 1024])
    expect(long.err).toBe('!    WARNING: the output is longer than 1 MB, the rest of it was left out\n')
    expect(await deis('run -a shop exit 3')).toEqual({ code: 3, out: "Running 'exit 3'...\n", err: '' })
    const said = await terminal.type(['run', '-a', 'shop', '--', 'echo no; exit 4'])
    expect(said).toEqual({ code: 4, out: "Running 'echo no; exit 4'...\n", err: 'no\n' })
  })

  test('no log', async () => {
    const said = await deis('logs -a shop')
    expect([said.code, said.err.split('\n')[0]]).toEqual([
      1,
      'Error: There are currently no log messages. Please check the following things:',
    ])
    expect((await deis('logs -a none')).err).toContain('The controller says: "No App matches the given query."\n')
  })
})

test('config', async () => {
  await play([
    ['config -a shop', '=== shop Config\n'],
    ['config --oneline -a shop', ''],
    ['config:set MODE=test A=b -a shop', 'Creating config... done\n\n=== shop Config\nA         b\nMODE      test\n'],
    ['config -a shop', '=== shop Config\nA         b\nMODE      test\n'],
    ['config --oneline -a shop', 'A=b MODE=test\n'],
    ['config --diff -a shop', 'A=b\nMODE=test\n'],
    ['config:pull -a shop', 'A=b\nMODE=test\n'],
    ['config:set 1=b -a shop', '', "Error: '1=b' does not match the pattern 'key=var', ex: MODE=test\n"],
    [
      'config:set A=b -a shop',
      'Creating config... \n',
      'Error: Unknown Error (409): {"detail":"alice changed nothing - release stopped"}\n',
    ],
    ['config:unset A MODE -a shop', 'Removing config... done\n\n=== shop Config\n'],
    [
      'config:unset A -a shop',
      'Removing config... \n',
      'Error: Unable to process your request: A does not exist under values\n',
    ],
  ])
  // Values that are not ASCII, of several lines, with carriage returns.
  const said = await terminal.type(['config:set', 'TEXT=é\r\nü', '-a', 'shop'])
  expect(said.out).toBe('Creating config... done\n\n=== shop Config\nTEXT      é\r\nü\n')
  expect((await deis('config:push -a shop', '# comment\r\nFROM=windows\r\n\r\nB=c\n')).out).toBe(
    'Creating config... done\n\n=== shop Config\nB         c\nFROM      windows\nTEXT      é\r\nü\n',
  )
  await writeFile(join(terminal.directory, 'other.env'), 'B=d\n')
  expect((await deis('config:push -a shop -p other.env')).out).toContain('B         d\n')
  const pulled = (await deis('config:pull -a shop')).out
  expect(pulled).toBe('B=d\nFROM=windows\nexport TEXT="é\\r\\nü"\n')
  expect((await deis('config --diff -a shop')).out).toBe(pulled)
  expect((await deis('config --oneline -a shop')).out).toBe('B=d FROM=windows TEXT=é\r\nü\n')
  await deis('config:unset TEXT FROM -a shop')
  expect((await deis('config:push -a shop', pulled)).out).toContain('\nTEXT      é\r\nü\n')
  await deis('config:unset TEXT FROM -a shop')

  // On a terminal a file is written, and not over another one.
  const pull = (line: string, input?: string) =>
    terminal.deis(`config:pull -a shop ${line}`.trim(), { terminal: true, ...(input === undefined ? {} : { input }) })
  const file = join(terminal.directory, '.env')
  expect(await pull('')).toEqual({ code: 0, out: '', err: '' })
  expect([await readFile(file, 'utf8'), (await stat(file)).mode & 0o777]).toEqual(['B=d\n', 0o600])
  expect((await pull('')).err).toContain('.env already exists, pass -o to overwrite\n')
  await writeFile(file, 'MINE=1\nB=x\n')
  expect((await pull('-i', 'n\n')).out).toBe('B: overwrite x with d? (y/N) ')
  expect(await readFile(file, 'utf8')).toBe('B=x\nMINE=1\n')
  await pull('-o')
  expect(await readFile(file, 'utf8')).toBe('B=d\n')

  const key = '-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n'
  const encoded = Buffer.from(key).toString('base64')
  await writeFile(join(terminal.directory, 'deploy'), key)
  expect((await deis('config:set SSH_KEY=deploy -a shop')).out).toContain(`SSH_KEY      ${encoded}\n`)
  expect((await deis(`config:set SSH_KEY=${encoded} -a shop`)).err).toContain('changed nothing')
  expect((await deis('config:set SSH_KEY=none -a shop')).err).toMatch(/^Error: Could not parse SSH private key/)
  expect((await deis('config:set HEALTHCHECK_TIMEOUT=5 -a shop')).out).toMatch(
    /^Hey there! We've noticed .*\n.*\n.*Thanks!\nCreating config\.\.\. done\n/,
  )
  await deis('config:unset B SSH_KEY HEALTHCHECK_TIMEOUT -a shop')
})

/** What is terminating is listed until it has ended. */
const processesBecome = (want: string) => expect.poll(async () => blurMore((await deis('ps -a shop')).out)).toBe(want)

test('processes', async () => {
  await play(
    [
      ['ps -a shop', '=== shop Processes\n--- web:\nshop-web-HASH-POD up (vN) AGE\n'],
      ['scale web=two -a shop', '', "Error: 'web=two' does not match the pattern 'type=num', ex: web=2\n"],
      [
        'scale web=2 worker=1 -a shop',
        'Scaling processes... but first, coffee!\ndone in Ns\n=== shop Processes\n' +
          '--- web:\nshop-web-HASH-POD up (vN)\nshop-web-HASH-POD up (vN)\n--- worker:\nshop-worker-HASH-POD up (vN)\n',
      ],
      [
        'ps:restart worker -a shop',
        'Restarting processes... but first, coffee!\ndone in Ns\n=== shop Processes\n--- worker:\nshop-worker-HASH-POD up (vN)\n',
      ],
      [
        'ps:restart nothing -a shop',
        'Restarting processes... but first, coffee!\nCould not find any processes to restart\n',
      ],
    ],
    blurMore,
  )
  expect((await deis('scale web=0 worker=0 -a shop')).out).toContain('\n=== shop Processes\n')
  await processesBecome('=== shop Processes\n')
  expect((await terminal.deis('scale web=1 -a shop', { env: { DEIS_DRINK_OF_CHOICE: 'tea' } })).out).toMatch(
    /^Scaling processes\.\.\. but first, tea!\n/,
  )
  expect((await deis('scale nothing=1 -a shop')).err).toMatch(
    /^Error: \{"detail":"Container type nothing does not exist/,
  )
  // What tests of the original look for.
  const [, pod] = /^(shop-[\w-]+) up \(v\d+\)/m.exec((await deis('ps -a shop')).out)!
  const said = await deis(`ps:restart ${pod} -a shop`)
  expect(blur(said.out)).toContain('shop-web-HASH-POD up (')
  expect(said.out).not.toContain(pod)
  await processesBecome('=== shop Processes\n--- web:\nshop-web-HASH-POD up (vN) AGE\n')
})

test('limits, tags, registry and probes', async () => {
  const unlimited = '--- Memory\nUnlimited\n\n--- CPU\nUnlimited\n'
  const timing = (failures: number): string =>
    `Initial Delay (seconds): 50\nTimeout (seconds): 50\nPeriod (seconds): 10\nSuccess Threshold: 1\nFailure Threshold: ${failures}\n`
  const noReadiness = '\n--- Readiness\nNo readiness probe configured.\n'
  const noLiveness = '--- Liveness\nNo liveness probe configured.\n'
  await play([
    ['limits -a shop', `=== shop Limits\n\n${unlimited}`],
    [
      'limits:set web=64M -a shop',
      'Applying limits... done\n\n=== shop Limits\n\n--- Memory\nweb     64M\n\n--- CPU\nUnlimited\n',
    ],
    [
      'limits:set --cpu web=500m worker=1 -a shop',
      'Applying limits... done\n\n=== shop Limits\n\n--- Memory\nweb     64M\n\n--- CPU\nweb        500m\nworker     1\n',
    ],
    [
      'limits:unset web -m -a shop',
      'Applying limits... done\n\n=== shop Limits\n\n--- Memory\nUnlimited\n\n--- CPU\nweb        500m\nworker     1\n',
    ],
    [
      'limits:unset web --cpu -a shop',
      'Applying limits... done\n\n=== shop Limits\n\n--- Memory\nUnlimited\n\n--- CPU\nworker     1\n',
    ],
    [
      'limits:unset web -a shop',
      'Applying limits... \n',
      'Error: Unable to process your request: web does not exist under memory\n',
    ],
    ['tags -a shop', '=== shop Tags\n'],
    ['tags:set rack=1 -a shop', 'Applying tags... \n', 'Error: No nodes matched the provided labels\n'],
    [
      'tags:set only_key -a shop',
      '',
      'Error: only_key is invalid, Must be in format key=value\nExamples: rack=1 environment=production\n',
    ],
    [
      'tags:unset rack -a shop',
      'Applying tags... \n',
      'Error: Unable to process your request: rack does not exist under tags\n',
    ],
    ['config:set PORT=5000 -a shop', 'Creating config... done\n\n=== shop Config\nPORT      5000\n'],
    [
      'registry:set username=bob -a shop',
      'Applying registry information... done\n\n=== shop Registry\nusername     bob\n',
    ],
    ['registry -a shop', '=== shop Registry\nusername     bob\n'],
    ['registry:unset username -a shop', 'Applying registry information... done\n\n=== shop Registry\n'],
    ['healthchecks -a shop', '=== shop Healthchecks\nNo health checks configured.\n'],
    [
      'healthchecks:set readiness httpGet 80 --type=worker --headers=A:b,C:d --path=/ok -a shop',
      `Applying readinessProbe healthcheck... done\n\n=== shop Healthchecks\n\nworker:\n${noLiveness}\n--- Readiness\n${timing(3)}` +
        'Exec Probe: N/A\nHTTP GET Probe: Path="/ok" Port=80 HTTPHeaders=[A=b C=d]\nTCP Socket Probe: N/A\n',
    ],
    [
      'healthchecks:set liveness exec --type worker --failure-threshold 5 -a shop -- cat -n /etc/hostname',
      `Applying livenessProbe healthcheck... done\n\n=== shop Healthchecks\n\nworker:\n--- Liveness\n${timing(5)}` +
        'Exec Probe: Command=[cat -n /etc/hostname]\nHTTP GET Probe: N/A\nTCP Socket Probe: N/A\n' +
        `\n--- Readiness\n${timing(3)}Exec Probe: N/A\nHTTP GET Probe: Path="/ok" Port=80 HTTPHeaders=[A=b C=d]\nTCP Socket Probe: N/A\n`,
    ],
    [
      'healthchecks:unset readiness liveness --type=worker -a shop',
      `Removing healthchecks... done\n\n=== shop Healthchecks\n\nworker:\n${noLiveness}${noReadiness}`,
    ],
    ['healthchecks --type=web -a shop', `=== shop Healthchecks\n\nweb:\n${noLiveness}${noReadiness}`],
    [
      'healthchecks:set ready httpGet 80 -a shop',
      '',
      'Error: probe type ready is invalid. Must be one of [liveness readiness]\n',
    ],
    [
      'healthchecks:set liveness http 80 -a shop',
      '',
      'Error: Invalid probe type. Must be one of: "httpGet", "exec", "tcpSocket"\n',
    ],
    ['healthchecks:set liveness tcpSocket x -a shop', '', 'Error: could not parse port: "x" is no number of one\n'],
    ['config:unset PORT -a shop', 'Removing config... done\n\n=== shop Config\n'],
  ])
})

test('settings', async () => {
  await play([
    ['maintenance -a shop', 'Maintenance mode is off.\n'],
    ['maintenance:on -a shop', 'Enabling maintenance mode for shop... done\n'],
    ['maintenance:info -a shop', 'Maintenance mode is on.\n'],
    ['maintenance:off -a shop', 'Disabling maintenance mode for shop... done\n'],
    ['routing -a shop', 'Routing is disabled.\n'],
    ['routing:enable -a shop', 'Enabling routing for shop... done\n'],
    ['routing -a shop', 'Routing is enabled.\n'],
    ['routing:disable -a shop', 'Disabling routing for shop... done\n'],
    ['tls -a shop', '=== shop TLS\nHTTPS Enforced: not set\n'],
    ['tls:enable -a shop', 'Enabling https-only requests for shop... done\n'],
    ['tls -a shop', '=== shop TLS\nHTTPS Enforced: true\n'],
    ['tls:disable -a shop', 'Disabling https-only requests for shop... done\n'],
    [
      'tls:disable -a shop',
      'Disabling https-only requests for shop... \n',
      'Error: Unknown Error (409): {"detail":"alice changed nothing"}\n',
    ],
    ['autoscale -a shop', '=== shop Autoscale\n\n'],
    ['autoscale:set web --min=1 --max=2 -a shop', '', 'Error: autoscale:set requires --cpu-percent\n'],
  ])
  // It was said to be done, and nothing came of it: apps are processes of this machine.
  expect(await deis('autoscale:set web --min=1 --max=2 --cpu-percent=50 -a shop')).toEqual({
    code: 0,
    out: 'Applying autoscale settings for process type web on shop... done\n',
    err: '!    WARNING: autoscale is kept but not in force: on one machine processes are scaled by hand, autoscaling is for Kubernetes\n',
  })
  await play([
    ['autoscale -a shop', '=== shop Autoscale\n\n--- web:\nMin Replicas: 1\nMax Replicas: 2\nCPU: 50%\n'],
    ['autoscale:unset web -a shop', 'Removing autoscale for process type web on shop... done\n'],
    ['whitelist:add 1.2.3.4,10.0.0.0/8 -a shop', 'Adding 1.2.3.4,10.0.0.0/8 to shop whitelist...\ndone\n'],
    ['whitelist -a shop', '=== shop Whitelisted Addresses\n1.2.3.4\n10.0.0.0/8\n'],
    ['whitelist:remove 1.2.3.4 -a shop', 'Removing 1.2.3.4 from shop whitelist...\ndone\n'],
    ['whitelist:list -a shop', '=== shop Whitelisted Addresses\n10.0.0.0/8\n'],
  ])
})

test('domains and certificates', async () => {
  const now = Date.now()
  const long = selfSign(['www.example.com'], 365, now)
  const short = selfSign(['*.example.org'], 10, now)
  for (const [name, text] of Object.entries({
    'a.pem': long.chain,
    'a.key': long.key,
    'b.pem': short.chain,
    'b.key': short.key,
  }))
    await writeFile(join(terminal.directory, name), text)
  await play([
    ['domains:add www.example.com -a shop', 'Adding www.example.com to shop... done\n'],
    ['domains:add *.example.org -a shop', 'Adding *.example.org to shop... done\n'],
    [
      'domains:add www.example.com -a shop',
      'Adding www.example.com to shop... \n',
      'Error: Domain is already in use by another application\n',
    ],
    ['domains -a shop', '=== shop Domains\n*.example.org\nshop\nwww.example.com\n'],
    ['domains -a shop -l 2', '=== shop Domains (2 of 3)\n*.example.org\nshop\n'],
    ['certs', 'No certs\n'],
    ['certs:add main a.pem none.key', '', 'Error: none.key cannot be read (ENOENT)\n'],
    ['certs:add main a.key a.key', 'Adding SSL endpoint... \n', 'Error: Could not load certificate\n'],
    [
      'certs:add main a.key a.pem',
      'Adding SSL endpoint... \n',
      'Error: Could not load certificate\nThe two files may be swapped: deis certs:add <name> <cert> <key>\n',
    ],
    ['certs:add main a.pem a.key', 'Adding SSL endpoint... done\n'],
    ['certs:attach main www.example.com', 'Attaching certificate main to domain www.example.com... done\n'],
  ])
  const day = (offset: number): string => {
    const [, date, month, year] = new Date(now + offset * 86_400_000).toUTCString().match(/, 0?(\d+) (\w+) (\d+)/)!
    return `${date} ${month} ${year}`
  }
  const info = await deis('certs:info main')
  expect(info).toEqual({
    code: 0,
    out:
      `=== main Certificate\nCommon Name(s):     www.example.com\nExpires At:         ${day(365)}\nStarts At:          ${day(-1)}\n` +
      `Fingerprint:        ${long.fingerprint}\nSubject Alt Name:   www.example.com\nIssuer:             /CN=www.example.com\n` +
      `Subject:            /CN=www.example.com\n\nConnected Domains:  www.example.com\nOwner:              alice\n` +
      `Created:            ${day(0)}\nUpdated:            ${day(0)}\n`,
    err: '',
  })
  const warning = `Warning: the certificate soon expires on ${day(10)}, in 10 days.\n`
  expect(await deis('certs:add soon b.pem b.key')).toEqual({
    code: 0,
    out: 'Adding SSL endpoint... done\n',
    err: warning,
  })
  // It was done, and nothing came of it: the platform's certificate is that of its names.
  const kept =
    '!    WARNING: the certificate is kept but not in force: shop is a name of the platform, which has a certificate of its own; attach it to the whole name, after deis domains:add\n'
  expect(await deis('certs:attach soon shop')).toMatchObject({ code: 0, err: `${warning}${kept}` })
  expect(await deis('certs:add other a.pem b.key')).toEqual({
    code: 0,
    out: 'Adding SSL endpoint... done\n',
    err: 'Warning: b.key is not the key of a.pem: no router can use the certificate other.\n',
  })
  await play([['certs:remove other', 'Removing other... done\n']])
  const print = long.fingerprint
  const list = await deis('certs:list --limit=0')
  expect(list.err).toBe(warning)
  expect(list.out.split('\n')[2]).toBe(
    `  main | www.example.com | www.example.com | ${day(365)} (in 1 year) | ${print.slice(0, 5)}[...]${print.slice(-5)} | www.example.com | ${day(0)} | ${day(0)}`,
  )
  await play([
    ['certs:detach main www.example.com', 'Detaching certificate main from domain www.example.com... done\n'],
    ['certs:remove main', 'Removing main... done\n'],
    ['certs:remove main', 'Removing main... \n', 'Error: "No Certificate matches the given query."\n'],
    ['domains:remove *.example.org -a shop', 'Removing *.example.org from shop... done\n'],
    ['domains:remove www.example.com -a shop', 'Removing www.example.com from shop... done\n'],
  ])
  const wrong = await deis('domains:add www.example.net -a shop').then(() => deis('certs:attach soon www.example.net'))
  expect(wrong.err).toBe(
    `${warning}Warning: the certificate soon is not for www.example.net: browsers will refuse it.\n`,
  )
})

test('keys', async () => {
  const { text } = publicKey()
  await writeFile(join(terminal.directory, 'id.pub'), `${text} me@home\n`)
  await writeFile(join(terminal.directory, 'plain.pub'), `${publicKey().text}\n`)
  await writeFile(join(terminal.directory, 'private'), '-----BEGIN OPENSSH PRIVATE KEY-----\n')
  await play([
    ['keys', '=== alice Keys\n'],
    ['keys:add id.pub', 'Uploading id.pub to deis... done\n'],
    ['keys:add laptop plain.pub', 'Uploading plain.pub to deis... done\n'],
    ['keys:remove laptop', 'Removing laptop SSH Key... done\n'],
    ['keys:remove laptop', 'Removing laptop SSH Key... \n', 'Error: "No Key matches the given query."\n'],
    [
      'keys:add private',
      '',
      `Error: ${terminal.directory}/private is not a valid ssh key\nIt is a private key, which must stay with you: give the .pub file.\n`,
    ],
    [
      'keys',
      `=== alice Keys\nme@home ${text.slice(0, 16)}...me@home\n`.replace(
        '...me@home',
        `...${`${text} me@home`.slice(-10)}`,
      ),
    ],
  ])
  expect(await deis('keys:add', '0\nplain.pub\n')).toMatchObject({
    code: 0,
    out:
      'Found the following SSH public keys:\n0) Enter path to pubfile (or use keys:add <key_path>)\n' +
      'Which would you like to use with Deis? Enter the path to the pubkey file: Uploading plain.pub to deis... done\n',
  })
  // Files that are not there were once taken for names, and the chooser came.
  for (const file of ['/nonexistent', './id_rsa', 'gone.pub'])
    expect(await deis(`keys:add ${file}`)).toEqual({
      code: 1,
      out: '',
      err: `Error: ${resolve(terminal.directory, file)} does not exist\n`,
    })
  expect((await deis('keys:add laptop')).err).toBe(
    'Error: No key was chosen\nName its file: deis keys:add <name> <file>\n',
  )
  expect((await deis('keys:add', 'x\n')).err).toBe('Error: x is not a valid integer\n')
  expect((await deis('keys:add', '7\n')).err).toBe('Error: 7 is not a valid option\n')
})

test('permissions', async () => {
  await play([
    ['perms -a shop', "=== shop's Users\n"],
    ['sharing:add bob -a shop', 'Adding bob to shop collaborators... done\n'],
    ['sharing -a shop', "=== shop's Users\nbob\n"],
    ['perms:delete bob -a shop', 'Removing bob from shop collaborators... done\n'],
    [
      'perms:create nobody -a shop',
      'Adding nobody to shop collaborators... \n',
      'Error: "No User matches the given query."\n',
    ],
    ['perms --admin', '=== Administrators\nalice\n'],
    ['perms:create bob --admin', 'Adding bob to system administrators... done\n'],
    ['perms --admin -l 1', '=== Administrators (1 of 2)\nalice\n'],
    ['perms:delete bob --admin', 'Removing bob from system administrators... done\n'],
  ])
})

test('releases and builds', async () => {
  await deis('create past --no-remote')
  await play([
    ['config:set A=b -a past', 'Creating config... done\n\n=== past Config\nA      b\n'],
    ['releases -a past', '=== past Releases\nv2\tTIME\talice added A\nv1\tTIME\talice created initial release\n'],
    ['releases -a past -l 1', '=== past Releases (1 of 2)\nv2\tTIME\talice added A\n'],
    [
      'releases:info v2 -a past',
      '=== past Release v2\nconfig:   UUID\nowner:    alice\ncreated:  TIME\nsummary:  alice added A\nupdated:  TIME\nuuid:     UUID\n',
    ],
    ['releases:info 9 -a past', '', 'Error: "No Release matches the given query."\n'],
    ['releases:info two -a past', '', 'Error: "two" is not a version; it looks like v3\n'],
    ['rollback v0 -a past', 'Rolling back to v0... \n', 'Error: The given version is invalid\n'],
    ['builds -a past', '=== past Builds\n'],
    ['builds -a shop', '=== shop Builds\nUUID TIME\n'],
  ])
  expect((await deis('rollback v2 -a shop')).out).toMatch(/^Rolling back to v2\.\.\. done, v\d+\n$/)
  expect((await deis('releases:rollback -a shop')).out).toMatch(/^Rolling back one release\.\.\. done, v\d+\n$/)
  expect((await deis('releases:info v2 -a shop')).out).toMatch(
    /^=== shop Release v2\nbuild: {4}[0-9a-f-]{36}\nconfig: /,
  )
  expect((await terminal.type(['pull', 'image', '-a', 'shop', '-p', 'web: {'])).err).toMatch(
    /^Error: The Procfile is not valid YAML: /,
  )
  expect((await deis('pull image -a none')).err).toMatch(/^Error: "No App matches the given query\."\n/)
})

test('versions', async () => {
  await play([
    ['version', `v${version}\n`],
    ['--version', `v${version}\n`],
    [
      'version --all',
      `Workflow CLI Version:            v${version}\nWorkflow CLI API Version:        2.3\nWorkflow Controller API Version: 2.3\n`,
    ],
  ])
})

describe('--json is what the controller answers', () => {
  test.each([
    ['apps', { count: expect.any(Number), results: expect.arrayContaining([expect.objectContaining({ id: 'shop' })]) }],
    [
      'info -a shop',
      {
        app: { id: 'shop' },
        processes: { results: [{}] },
        domains: { results: [{}, {}] },
        settings: { routable: false },
      },
    ],
    ['ps -a shop', { results: [{ type: 'web', state: 'up' }] }],
    ['config -a shop', { values: {}, memory: {} }],
    ['limits -a shop', { cpu: { worker: '1' } }],
    ['tags -a shop', { tags: {} }],
    ['registry -a shop', { registry: {} }],
    ['healthchecks -a shop', { healthcheck: {} }],
    ['labels -a shop', { label: {} }],
    ['autoscale -a shop', { autoscale: {} }],
    ['maintenance -a shop', { maintenance: false }],
    ['routing -a shop', { routable: false }],
    ['tls -a shop', { https_enforced: false }],
    ['domains -a shop', { count: 2 }],
    ['whitelist -a shop', { addresses: ['10.0.0.0/8'] }],
    ['perms -a shop', { users: [] }],
    ['perms --admin', { count: 1 }],
    ['releases -a shop', { results: expect.any(Array) }],
    ['releases:info 1 -a shop', { version: 1 }],
    ['builds -a shop', { count: 1 }],
    ['certs', { count: 1 }],
    ['certs:info soon', { name: 'soon' }],
    ['keys', { results: expect.any(Array) }],
    ['users', { results: expect.any(Array) }],
    ['whoami', { username: 'alice' }],
    ['whoami --all', { is_superuser: true }],
    ['version --all', { controllerApi: '2.3' }],
    ['shortcuts', { create: 'apps:create' }],
  ])('%s', async (line, shape) => {
    const said = await deis(`${line} --json`)
    expect(said.code).toBe(0)
    expect(JSON.parse(said.out)).toMatchObject(shape)
  })
})
