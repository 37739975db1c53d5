// The command as a process: its launcher, its streams, programs of others, shells.

import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { version } from '#kit/version.ts'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { Terminal } from '#test/support/terminal.ts'

const root = join(import.meta.dirname, '../..')
/** Of a shell that waits for what does not come, milliseconds. */
const timeout = 15_000
const isMissing = (program: string): boolean => spawnSync(program, ['--version']).error !== undefined
let terminal: Terminal
let programs: string
let env: Record<string, string>

beforeAll(async () => {
  terminal = await Terminal.open()
  programs = join(terminal.directory, 'bin')
  await mkdir(programs)
  await symlink(join(root, 'cli/bin/deis.mjs'), join(programs, 'deis'))
  const { NODE_COMPILE_CACHE = '' } = process.env
  env = {
    ...terminal.env,
    NODE_COMPILE_CACHE,
    PATH: [programs, dirname(process.execPath), process.env.PATH].join(delimiter),
  }
})
afterAll(() => terminal[Symbol.asyncDispose]())

function shell(line: string, more: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', line], {
    cwd: terminal.directory,
    env: { ...env, ...more },
    encoding: 'utf8',
  })
  return { code: status, out: stdout, err: stderr }
}

test('through a link, with its streams and its exit code', () => {
  expect(shell('deis version')).toEqual({ code: 0, out: `v${version}\n`, err: '' })
  expect(shell('deis')).toEqual({ code: 1, out: '', err: 'Usage: deis <command> [<args>...]\n' })
  expect(shell('deis apps')).toMatchObject({
    code: 1,
    err: expect.stringContaining('Error: Client configuration file not found'),
  })
})

test('whoever reads may stop', () => {
  expect(shell('deis help | head -c 10')).toEqual({ code: 0, out: 'The Deis c', err: '' })
})

// It said 0 for what it had not done.
test('who cannot say what becomes of it does not say that all is well', () => {
  expect(shell('deis help | true; echo $PIPESTATUS')).toEqual({ code: 0, out: '141\n', err: '' })
})

// SIGINT was left to the terminal: who is not on one could not end it.
test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('on a Node that knows no types, %s ends it as well', async (signal, code) => {
  const server = createServer(socket => socket.on('error', () => {}).resume())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const controller = `http://127.0.0.1:${port}`
  const profile = { username: 'u', ssl_verify: true, controller, token: 'a'.repeat(40), response_limit: 0 }
  await writeFile(join(terminal.directory, 'waits.json'), JSON.stringify(profile))
  const words = ['--no-strip-types', join(root, 'cli/bin/deis.mjs'), 'apps', '-c', './waits.json']
  const child = spawn(process.execPath, words, { cwd: terminal.directory, env, stdio: 'ignore' })
  const ended = once(child, 'exit')
  // The one that was started by it waits for an answer.
  await once(server, 'connection')
  child.kill(signal)
  expect(await ended).toEqual([code, null])
  server.close()
})

test('groups of others are programs', async () => {
  const program = join(programs, 'deis-hello')
  await writeFile(program, '#!/bin/sh\necho "$DEIS_PROFILE" "$@"\nexit 5\n')
  await chmod(program, 0o755)
  expect(shell('deis hello:world --x y -c staging')).toEqual({ code: 5, out: 'staging world --x y\n', err: '' })
  expect(shell('deis hello -v')).toEqual({ code: 5, out: ' -v\n', err: '' })
})

describe('completion', () => {
  let stage: ControllerStage
  beforeAll(async () => {
    stage = await ControllerStage.start({ times: quick })
    const url = `http://deis.localhost:${stage.controller.port}`
    await terminal.deis(`register ${url} --username=alice --password=x --email=`)
    for (const app of ['cart', 'shop', 'shoes']) await terminal.deis(`create ${app} --no-remote`)
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  test.each([
    ['doc', 'doctor'],
    ['apps:cr', 'apps:create'],
    ['help lim', 'limits limits:list limits:set limits:unset'],
    ['scale --a', '--app'],
    ['info -a sh', 'shoes shop'],
    ['info --app=ca', '--app=cart'],
    ['-c client info -a c', 'cart'],
    ['completion ', 'bash fish zsh'],
    ['run -- -', ''],
    ['nonsense ', ''],
    ['info -c none -a ', ''],
  ])('deis %s', async (line, offered) => {
    const said = await terminal.type(['__complete', '--', ...line.split(' ')])
    expect(said).toEqual({ code: 0, out: offered === '' ? '' : `${offered.replaceAll(' ', '\n')}\n`, err: '' })
  })

  test('bash asks for it, and replaces what follows the last : or =', async () => {
    const lines = ['deis apps:cr', 'deis info --app=ca']
    const script = [
      'source <(deis completion bash)',
      ...lines.map(
        line => `COMP_LINE='${line}' COMP_POINT=${line.length}; COMPREPLY=(); _deis; echo "\${COMPREPLY[*]}"`,
      ),
    ]
    // Not synchronously: the controller is in this process.
    const { stdout } = await promisify(execFile)('bash', ['-c', script.join('\n')], { cwd: terminal.directory, env })
    expect(stdout).toBe('create\ncart\n')
  })

  test.skipIf(isMissing('zsh'))('zsh asks for it, and offers files where there is nothing else', async () => {
    await writeFile(join(terminal.directory, 'shared.env'), '')
    // A terminal of its own: what it shows is waited for.
    const script = `
      zmodload zsh/zpty
      zpty shell 'zsh -f -i'
      zpty -w shell 'autoload -Uz compinit; compinit -u -D; source <(deis completion zsh); print ready-$((1))'
      zpty -r shell seen '*ready-1*'
      for typed shown in 'deis apps:cr' 'apps:create ' 'deis info --app=ca' '--app=cart ' 'deis info -a sh' ' sho' \\
        'deis config:push -p shar' ' shared.env '; do
        zpty -w -n shell $'\\C-U'"$typed"$'\\t'
        zpty -r shell seen "*$shown*" && print -r -- "$shown"
      done
      zpty -d shell`
    const { stdout } = await promisify(execFile)('zsh', ['-f', '-c', script], { cwd: terminal.directory, env, timeout })
    expect(stdout).toBe('apps:create \n--app=cart \n sho\n shared.env \n')
  })

  test.skipIf(isMissing('fish'))('fish asks for it, and offers files where there is nothing else', async () => {
    await writeFile(join(terminal.directory, 'shared.env'), '')
    const lines = ['deis apps:cr', 'deis info --app=ca', 'deis info -a sh', 'deis info -a ', 'deis config:push -p sh']
    const script = ['deis completion fish | source', ...lines.map(line => `complete -C '${line}'`)].join('\n')
    const { stdout } = await promisify(execFile)('fish', ['-N', '-c', script], {
      cwd: terminal.directory,
      env,
      timeout,
    })
    expect(stdout.trim().split('\n')).toEqual([
      ...['apps:create', '--app=cart', 'shoes', 'shop'],
      ...['cart', 'shoes', 'shop', 'shared.env'],
    ])
  })

  test('a shell that is none of them', async () => {
    expect((await terminal.deis('completion tcsh')).err).toBe('Error: "tcsh" is not bash, zsh or fish\n')
  })
})

test('the bundle runs without the sources', async () => {
  const directory = join(terminal.directory, 'package')
  await promisify(execFile)(process.execPath, [join(root, 'scripts/bundle-cli.mjs'), '--to', join(directory, 'dist')])
  await mkdir(join(directory, 'bin'))
  await writeFile(join(directory, 'package.json'), '{"type":"module"}')
  // A copy: a link would lead back to the sources.
  spawnSync('cp', [join(root, 'cli/bin/deis.mjs'), join(directory, 'bin/deis.mjs')])
  const run = (...words: string[]) =>
    spawnSync(process.execPath, [join(directory, 'bin/deis.mjs'), ...words], { env, encoding: 'utf8' })
  expect(run('version').stdout).toBe(`v${version}\n`)
  expect(run('help', 'builds:create').stdout).toContain('Usage: deis builds:create <image> [options]')
  expect(run('apps', '-c', 'none').stderr).toMatch(/^Error: Client configuration file not found/)
})
