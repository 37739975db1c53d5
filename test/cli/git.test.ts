// Remotes and the app of a directory, with the system's git (contract of the command line, section 4).

import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { type Said, Terminal, type TypeOptions } from '#test/support/terminal.ts'

let stage: ControllerStage
let terminal: Terminal
let repository: string
let rounds = 0

beforeAll(async () => {
  stage = await ControllerStage.start({ times: quick })
  terminal = await Terminal.open()
  await deis(`register http://deis.localhost:${stage.controller.port} --username=alice --password=x --email=`)
})

afterAll(async () => {
  await terminal?.[Symbol.asyncDispose]()
  await stage?.[Symbol.asyncDispose]()
})

beforeEach(async () => {
  repository = join(terminal.directory, `Repository${++rounds}`)
  await mkdir(repository)
  git('init', '-q')
})

const deis = (line: string, options: TypeOptions = {}): Promise<Said> =>
  terminal.deis(line, { directory: repository ?? terminal.directory, ...options })
const git = (...args: string[]): string =>
  execFileSync('git', args, { cwd: repository, env: { ...terminal.env }, encoding: 'utf8' })
const remotes = (): string[] =>
  git('remote', '-v')
    .split('\n')
    .filter(line => line.endsWith('(push)'))

test('a new app has a remote, and is the directory’s app', async () => {
  const said = await deis('create shop')
  expect(said).toEqual({
    code: 0,
    out: 'Creating Application... done, created shop\nGit remote deis successfully created for app shop.\n',
    err: '',
  })
  expect(remotes()).toEqual(['deis\tssh://git@deis-builder.localhost:2222/shop.git (push)'])
  expect((await deis('domains')).out).toBe('=== shop Domains\nshop\n')
  // In what is below too.
  await mkdir(join(repository, 'src'))
  expect((await deis('domains', { directory: join(repository, 'src') })).out).toBe('=== shop Domains\nshop\n')
  expect((await deis('destroy --confirm=shop')).out).toMatch(
    /^Destroying shop\.\.\.\ndone in \d+s\nGit remotes for app shop removed\.\n$/,
  )
  expect(remotes()).toEqual([])
})

test('a remote that is there already: the app is made, and the exit code is 1', async () => {
  git('remote', 'add', 'deis', 'ssh://git@elsewhere.example.com/x.git')
  const said = await deis('create taken')
  expect(said).toEqual({
    code: 1,
    out: 'Creating Application... done, created taken\n',
    err:
      'Error: error: remote deis already exists.\nThe app taken was created, its git remote was not.\n' +
      'To overwrite this remote run:\ndeis git:remote --force --remote deis --app taken\n',
  })
  expect((await deis('apps')).out).toContain('taken\n')
  expect((await deis('git:remote -a taken')).err).toBe(
    "Error: Remote deis already exists, please run 'deis git:remote -f' to overwrite\n" +
      'Existing remote URL: ssh://git@elsewhere.example.com/x.git\n' +
      'When forced, will overwrite with: ssh://git@deis-builder.localhost:2222/taken.git\n',
  )
  expect((await deis('git:remote --force --remote deis --app taken')).out).toBe(
    'Deleting git remote deis.\nGit remote deis successfully created for app taken.\n',
  )
  expect((await deis('git:remote')).out).toBe('Remote deis already exists and is correctly configured for app taken.\n')
})

test('all remotes that lead to an app go, and no others', async () => {
  await deis('git:remote -a one')
  await deis('git:remote -a one -r again')
  await deis('git:remote -a two -r other')
  git('remote', 'add', 'origin', 'https://git.example.com/one.git')
  expect((await deis('git:remove -a one')).out).toBe('Git remotes for app one removed.\n')
  expect(remotes()).toEqual([
    'origin\thttps://git.example.com/one.git (push)',
    'other\tssh://git@deis-builder.localhost:2222/two.git (push)',
  ])
})

test('the first remote to the builder is the app, however it is written', async () => {
  git('remote', 'add', 'a', 'https://git.example.com/wrong.git')
  git('remote', 'add', 'b', 'ssh://git@deis-builder.localhost:2222/first.git')
  git('remote', 'add', 'c', 'ssh://git@deis-builder.localhost:2222/second.git')
  expect((await deis('git:remote')).out).toBe('Git remote deis successfully created for app first.\n')
})

test('where the system does not know names under localhost, the builder is at localhost', async () => {
  const options = { resolves: false, env: { DEIS_BUILDER_PORT: '2022' } }
  await deis('git:remote -a shop', options)
  expect(remotes()).toEqual(['deis\tssh://git@localhost:2022/shop.git (push)'])
  expect((await deis('git:remote -r more', options)).out).toBe('Git remote more successfully created for app shop.\n')
  await deis('git:remove', { env: { DEIS_BUILDER_PORT: '2022' } })
  expect(remotes()).toEqual([])
})

test('without git, remote or repository the directory is the app', async () => {
  const name = `repository${rounds}`
  expect((await deis('tls')).err).toMatch(/^Error: "No App matches/)
  await deis(`create ${name} --no-remote`)
  expect((await deis('domains')).out).toBe(`=== ${name} Domains\n${name}\n`)
  expect((await deis('domains', { env: { PATH: '/nowhere' } })).out).toBe(`=== ${name} Domains\n${name}\n`)
  await writeFile(join(repository, '.git/config'), 'broken')
  expect((await deis('domains')).out).toBe(`=== ${name} Domains\n${name}\n`)
})

test('a name that looks like an option is only a name', async () => {
  const said = await deis('git:remote -a shop --remote=--upload-pack=x')
  expect([said.code, remotes()]).toEqual([
    0,
    ['--upload-pack=x\tssh://git@deis-builder.localhost:2222/shop.git (push)'],
  ])
})
