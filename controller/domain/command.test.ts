import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Command, commandOf, runCommandOf, splitWords } from './command.ts'

const image = { image: 'x', sha: '', dockerfile: '', procfile: { web: 'npm start $PORT', cmd: 'serve --name "a b"' } }
const dockerfile = { image: 'shop', sha: 'abc', dockerfile: 'FROM x', procfile: {} }
const slug = { image: 'home/shop:git-abc/push/slug.tgz', sha: 'abc', dockerfile: '', procfile: { web: 'npm start' } }
const odd = '/cnb/process/web; id'
const buildpack = { ...slug, image: 'shop:git-abc', procfile: { web: '/cnb/process/web', worker: "rake 'a b'", odd } }
const none: Command = { command: null, args: null }

describe('section 8, Command/args', () => {
  const rows = [
    ['a slug', slug, 'web', { command: ['/runner/init'], args: ['start', 'web'] }],
    [
      'a slug without Procfile',
      { ...slug, procfile: {} },
      'web',
      { command: ['/runner/init'], args: ['start', 'web'] },
    ],
    ['a type of buildpacks', buildpack, 'web', { command: ['/cnb/process/web'], args: null }],
    ['a line for their launcher', buildpack, 'worker', { command: ['/cnb/lifecycle/launcher'], args: ["rake 'a b'"] }],
    ['a line that only looks like it', buildpack, 'odd', { command: ['/cnb/lifecycle/launcher'], args: [odd] }],
    ['a type that is gone', buildpack, 'other', none],
    ['an image', image, 'web', { command: ['/bin/bash', '-c'], args: ['npm start $PORT'] }],
    ['an image, cmd', image, 'cmd', { command: null, args: ['serve', '--name', 'a b'] }],
    ['an image without Procfile, cmd', { ...image, procfile: {} }, 'cmd', none],
    ['a Dockerfile, cmd', dockerfile, 'cmd', none],
    ['a Dockerfile, a type that is gone', dockerfile, 'worker', none],
    ['a type named as in the prototype', image, 'constructor', none],
  ] as const
  for (const [name, build, type, want] of rows) test(name, () => expect(commandOf(build, type)).toEqual(want))

  test('one-off commands are one string', () => {
    expect(runCommandOf(slug, 'rake db')).toEqual({ command: ['/runner/init'], args: ['rake db'] })
    expect(runCommandOf(buildpack, 'rake db')).toEqual({ command: ['/cnb/lifecycle/launcher'], args: ['rake db'] })
    expect(runCommandOf(image, 'ls | wc')).toEqual({ command: ['/bin/bash', '-c'], args: ['ls | wc'] })
    expect(runCommandOf(dockerfile, 'ls')).toEqual({ command: ['/bin/bash', '-c'], args: ['ls'] })
  })
})

describe('words', () => {
  const rows: readonly (readonly [line: string, want: readonly string[]])[] = [
    ['', []],
    ['  ', []],
    ['a b\tc', ['a', 'b', 'c']],
    ['"a b" c', ['a b', 'c']],
    ["'a \"b' c", ['a "b', 'c']],
    ['a"b"\'c\'', ['abc']],
    ['""', ['']],
    ['a\\ b', ['a b']],
    ['"a\\"b\\n"', ['a"b\\n']],
    ["'a\\'", ['a\\']],
    ['$HOME *', ['$HOME', '*']],
    ['"a b', ['a b']],
    ['a\\', ['a\\']],
  ]
  for (const [line, want] of rows) test(JSON.stringify(line), () => expect(splitWords(line)).toEqual(want))

  test('quoted words come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), words => {
        const line = words.map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
        expect(splitWords(line)).toEqual(words)
      }),
    )
  })
})
