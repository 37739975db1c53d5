// Invocation and help (contract of the command line, sections 1 and 2).

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandName, groups, shortcuts } from '#cli/catalogue.ts'
import { Terminal } from '#test/support/terminal.ts'

let terminal: Terminal
beforeAll(async () => {
  terminal = await Terminal.open()
})
afterAll(() => terminal[Symbol.asyncDispose]())

const noMatch = "Found no matching command, try 'deis help'\nUsage: deis <command> [<args>...]\n"

test('no command', async () => {
  expect(await terminal.type([])).toEqual({ code: 1, out: '', err: 'Usage: deis <command> [<args>...]\n' })
})

test('help in all its ways', async () => {
  const { out } = await terminal.deis('help')
  expect(out).toMatch(
    /^The Deis command-line client issues API calls to a Deis controller\.\n\nUsage: deis <command> \[<args>\.\.\.\]\n/,
  )
  for (const line of ['-h', '--help', 'help -x']) expect(await terminal.deis(line)).toEqual({ code: 0, out, err: '' })
  for (const line of ['help apps', 'apps --help', '-h apps', 'apps -h'])
    expect((await terminal.deis(line)).out).toMatch(
      /^Valid commands for apps:\n\napps:create +create a new application\n/,
    )
  for (const line of ['help create', 'create --help', 'apps:create -h', 'help apps:create'])
    expect((await terminal.deis(line)).out).toMatch(
      /^Creates a new application\.\n.*Usage: deis apps:create \[<id>\] \[options\]\n/s,
    )
})

test.each([
  ['tags:list', 'Lists tags for an application.'],
  ['config:set', 'Sets environment variables for an application.'],
  ['registry:unset', 'Unsets registry information for an application.'],
  ['routing:info', "Prints info about the current application's routability."],
  ['labels:list', 'Prints a list of labels of the application.'],
  ['maintenance:info', "Prints info about the current application's maintenance state."],
  ['ps:list', 'Lists processes servicing an application.'],
])('help of %s begins as that of the original', async (name, line) => {
  expect((await terminal.deis(`help ${name}`)).out.split('\n', 1)[0]).toBe(line)
})

test('auth and git alone print their verbs', async () => {
  for (const group of ['auth', 'git', 'router'])
    expect(await terminal.deis(group)).toMatchObject({
      code: 0,
      out: expect.stringMatching(new RegExp(`^Valid commands for ${group}:\n`)),
    })
})

test('groups alone run their default', async () => {
  const asked = Object.entries(groups).filter(([, { bare }]) => bare === 'list' || bare === 'info')
  expect(asked.filter(([, { bare }]) => bare === 'info').map(([name]) => name)).toEqual([
    'maintenance',
    'routing',
    'tls',
  ])
  for (const [name] of asked.filter(([one]) => one !== 'shortcuts'))
    expect([name, (await terminal.deis(name)).err]).toEqual([
      name,
      expect.stringContaining('configuration file not found'),
    ])
})

describe('every command has its help', () => {
  const all = Object.entries(groups).flatMap(([name, group]) =>
    Object.keys(group.verbs).map(verb => [commandName(name, verb), verb, group] as const),
  )
  test.each(all)('%s', async (name, verb, group) => {
    const { commands } = await group.load()
    expect(Object.keys(commands).sort()).toEqual(Object.keys(group.verbs).sort())
    const said = await terminal.deis(`help ${name}`)
    expect(said).toMatchObject({ code: 0, err: '', out: expect.stringContaining(`\nUsage: deis ${name}`) })
    for (const option of commands[verb]!.options ?? []) expect(said.out).toContain(`--${option.name}`)
  })

  test('shortcuts lead to commands', () => {
    const names = all.map(([name]) => name)
    for (const target of Object.values(shortcuts)) expect(names).toContain(target)
  })
})

test('what nobody knows', async () => {
  expect(await terminal.deis('frobnicate')).toEqual({ code: 1, out: '', err: noMatch })
  expect(await terminal.deis('confg:set A=b')).toEqual({
    code: 1,
    out: '',
    err: `${noMatch}Did you mean 'deis config:set'?\n`,
  })
  // A verb that nobody knows is no error for the original.
  expect(await terminal.deis('apps:lsit')).toEqual({
    code: 0,
    out: '',
    err: `${noMatch}Did you mean 'deis apps:list'?\n`,
  })
  for (const line of ['constructor', '__proto__', 'apps:constructor', 'apps:', '../x', 'a/b:c'])
    expect((await terminal.deis(line)).err).toContain(noMatch)
})

test('shortcuts, sorted', async () => {
  const { out } = await terminal.deis('shortcuts')
  const lines = out.trimEnd().split('\n')
  expect(lines).toEqual([...lines].sort())
  expect(lines).toContain('sharing:add -> perms:create')
  expect(lines.length).toBe(18)
})

describe('profiles', () => {
  const profile = {
    username: 'u',
    ssl_verify: true,
    controller: 'http://deis.example.com',
    token: 'x',
    response_limit: 0,
  }
  const whoami = (line: string, env: Record<string, string> = {}) => terminal.deis(`whoami ${line}`.trim(), { env })

  test('which one', async () => {
    await mkdir(join(terminal.home, '.deis'), { recursive: true })
    for (const name of ['client', 'env', 'flag'])
      await writeFile(join(terminal.home, '.deis', `${name}.json`), JSON.stringify({ ...profile, username: name }))
    await writeFile(join(terminal.directory, 'here.json'), JSON.stringify({ ...profile, username: 'here' }))
    expect((await whoami('')).out).toBe('You are client at http://deis.example.com\n')
    expect((await whoami('', { DEIS_PROFILE: 'env' })).out).toContain('are env at')
    expect((await whoami('-c flag', { DEIS_PROFILE: 'env' })).out).toContain('are flag at')
    expect((await whoami('--config=./here.json')).out).toContain('are here at')
    expect((await whoami(`-c ${terminal.directory}/here.json`)).out).toContain('are here at')
    expect((await whoami('-c here.json')).err).toContain(`not found at: ${terminal.home}/.deis/here.json.json`)
  })

  test.each([
    ['cut off', '{"username":"u"'],
    ['empty', ''],
    ['a list', '[]'],
    ['no token', '{"username":"u","ssl_verify":true,"controller":"http://a.example"}'],
    ['a token of two lines', JSON.stringify({ ...profile, token: 'a\nb' })],
    ['a controller that is none', JSON.stringify({ ...profile, controller: 'x' })],
    ['a limit below 0', JSON.stringify({ ...profile, response_limit: -1 })],
  ])('%s: it is named, and left as it is', async (_what, text) => {
    const file = join(terminal.directory, 'bad.json')
    await writeFile(file, text)
    expect(await whoami(`-c ${file}`)).toEqual({
      code: 1,
      out: '',
      err: `Error: The profile ${file} is not valid; it was left as it is\nMend it, or remove it and log in again: deis login <controller>\n`,
    })
    expect(await readFile(file, 'utf8')).toBe(text)
  })

  // Once a login wrote over them, although it was promised that they are left alone.
  test.each([
    ['cut off', '{"username":'],
    ['empty', ''],
    ['a list', '[]'],
    ['a name that is none', '{"username":5}'],
  ])('%s: a login or registration leaves it too, and asks nobody', async (_what, text) => {
    const file = join(terminal.directory, 'bad.json')
    await writeFile(file, text)
    for (const command of ['login', 'register']) {
      // Nobody listens at that port: to ask would be another error.
      const said = await terminal.deis(`${command} http://127.0.0.1:1 -c ${file}`)
      expect([said.code, said.out, said.err.split('\n', 1)]).toEqual([
        1,
        '',
        [`Error: The profile ${file} is not valid; it was left as it is`],
      ])
      expect(await readFile(file, 'utf8')).toBe(text)
    }
  })

  // It was removed without a word, whatever was in it.
  test('a logout leaves it too', async () => {
    const file = join(terminal.directory, 'bad.json')
    await writeFile(file, '{"username":')
    const { code, out, err } = await terminal.deis(`logout -c ${file}`)
    expect([code, out, err.split('\n', 1)]).toEqual([
      1,
      '',
      [`Error: The profile ${file} is not valid; it was left as it is`],
    ])
    expect(await readFile(file, 'utf8')).toBe('{"username":')
  })

  // It said to log in, which fails.
  test('the doctor says how to go about it', async () => {
    const file = join(terminal.directory, 'bad.json')
    await writeFile(file, '{"username":')
    expect((await terminal.deis(`doctor -c ${file}`)).out.split('\n', 1)).toEqual([
      `fail  profile: The profile ${file} is not valid; it was left as it is -> Mend it, or remove it and log in again: deis login <controller>`,
    ])
  })
})
