import { describe, expect, test } from 'vitest'
import { parseArguments } from './arguments.ts'
import { appOption, type Command, limitOption } from './command.ts'
import { Fault } from './fault.ts'
import { takeGlobals } from './globals.ts'

const command: Command = {
  about: '',
  positionals: [
    { name: '<first>', count: 'one', help: '' },
    { name: '<more>', count: 'many', help: '' },
  ],
  options: [
    appOption,
    limitOption,
    { name: 'force', short: 'f', help: '' },
    { name: 'oneline', short: 'o', help: '' },
    { name: 'path', value: 'path', absent: '/', help: '' },
    { name: 'period-seconds', value: 'n', help: '' },
  ],
  run: async () => {},
}

describe('docopt rules', () => {
  const rows: readonly [line: string, words: readonly string[], options: Record<string, unknown>][] = [
    ['a b', ['a', 'b'], {}],
    ['a b c', ['a', 'b', 'c'], {}],
    ['--app=shop a b', ['a', 'b'], { app: 'shop' }],
    ['a --app shop b', ['a', 'b'], { app: 'shop' }],
    ['a b -a shop', ['a', 'b'], { app: 'shop' }],
    ['a b -ashop', ['a', 'b'], { app: 'shop' }],
    ['a b -fo', ['a', 'b'], { force: true, oneline: true }],
    ['a b -fa shop', ['a', 'b'], { force: true, app: 'shop' }],
    ['a b --ap shop', ['a', 'b'], { app: 'shop' }],
    ['a b --per=3', ['a', 'b'], { 'period-seconds': '3' }],
    ['a b --app=', ['a', 'b'], { app: '' }],
    ['a b --app=x=y', ['a', 'b'], { app: 'x=y' }],
    ['a b --app -x', ['a', 'b'], { app: '-x' }],
    ['a b --app=x --app=y', ['a', 'b'], { app: 'y' }],
    ['a -- -f --app', ['a', '-f', '--app'], {}],
    ['a -- -- b', ['a', '--', 'b'], {}],
    ['a -', ['a', '-'], {}],
  ]
  test.each(rows)('%s', (line, words, options) => {
    const args = parseArguments('x:y', command, line.split(' '))
    const seen = Object.fromEntries(
      command
        .options!.filter(({ name }) => args.isGiven(name))
        .map(({ name, value }) => [name, value === undefined ? args.flag(name) : args.text(name)]),
    )
    expect([args.from(0), seen]).toEqual([words, options])
  })

  test('what is absent has its default', () => {
    const args = parseArguments('x:y', command, ['a', 'b'])
    expect([args.text('path'), args.text('app'), args.number('limit'), args.isGiven('path')]).toEqual([
      '/',
      null,
      null,
      false,
    ])
  })
})

describe('refusals', () => {
  const rows: readonly [line: string, message: string, hint: string][] = [
    ['a', 'x:y requires <more>', 'Usage: deis x:y <first> <more>...'],
    ['a b --forse', 'x:y has no option --forse', 'Did you mean --force?'],
    ['a b -z', 'x:y has no option -z', "See 'deis help x:y'."],
    ['a b --p=1', '--p could be --path or --period-seconds', ''],
    ['a b --force=yes', '--force takes no value', "See 'deis help x:y'."],
    ['a b --app', '--app requires a value', "See 'deis help x:y'."],
    ['a b -a', '-a requires a value', "See 'deis help x:y'."],
  ]
  test.each(rows)('%s', (line, message, hint) => {
    const fault = refusal(() => parseArguments('x:y', command, line.split(' ')))
    expect([fault.message, fault.hints[0] ?? '']).toEqual([message, hint])
  })

  test('too many', () => {
    const one: Command = { ...command, positionals: command.positionals!.slice(0, 1) }
    expect(refusal(() => parseArguments('x:y', one, ['a', 'b'])).message).toBe('x:y does not take "b"')
  })

  test('no number', () => {
    const args = parseArguments('x:y', command, ['a', 'b', '--limit=ten'])
    expect(refusal(() => args.number('limit')).message).toBe('--limit must be a whole number, not "ten"')
  })

  test('options of a command that is to run', () => {
    const fault = refusal(() => parseArguments('apps:run', { ...command, options: [] }, ['ls', '-l']))
    expect(fault.hints).toContain("Options of the command itself follow --, as in 'deis run -- ls -l'.")
  })
})

function refusal(work: () => unknown): Fault {
  try {
    work()
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  throw new Error('it was not refused')
}

test('the profile is chosen anywhere before --', () => {
  const rows: readonly [line: string, words: string, profile: string | null, debug: boolean][] = [
    ['apps', 'apps', null, false],
    ['apps -c other -l 3', 'apps -l 3', 'other', false],
    ['apps --config=/tmp/x.json', 'apps', '/tmp/x.json', false],
    ['-c other apps', 'apps', 'other', false],
    ['apps --config other --debug', 'apps', 'other', true],
    ['run -a x -- sh -c ls', 'run -a x -- sh -c ls', null, false],
  ]
  for (const [line, words, profile, debug] of rows)
    expect(takeGlobals(line.split(' '))).toEqual({ words: words.split(' '), globals: { profile, debug } })
})
