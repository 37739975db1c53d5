// The command line of one command by the rules of docopt: options anywhere, `--x=y` or `--x y`, `-x y` or `-xy`, flags
// together (`-fo`), long ones as short as they are clear, and nothing but arguments after `--`.

import type { Command, Option } from './command.ts'
import { Fault } from './fault.ts'
import { nearest } from './nearest.ts'

export class Arguments {
  readonly #positionals: readonly string[]
  readonly #values: ReadonlyMap<string, string>
  readonly #flags: ReadonlySet<string>
  readonly #options: readonly Option[]

  constructor(
    positionals: readonly string[],
    values: ReadonlyMap<string, string>,
    flags: ReadonlySet<string>,
    options: readonly Option[],
  ) {
    this.#positionals = positionals
    this.#values = values
    this.#flags = flags
    this.#options = options
  }

  /** The argument at this place; empty when it was not given. */
  at(index: number): string {
    return this.#positionals[index] ?? ''
  }

  from(index: number): readonly string[] {
    return this.#positionals.slice(index)
  }

  /** What was given, else what counts when nothing is; null when that is nothing. */
  text(option: string): string | null {
    return this.#values.get(option) ?? this.#options.find(({ name }) => name === option)?.absent ?? null
  }

  flag(option: string): boolean {
    return this.#flags.has(option)
  }

  isGiven(option: string): boolean {
    return this.#values.has(option) || this.#flags.has(option)
  }

  /** A whole number; null when it was not given. */
  number(option: string): number | null {
    const text = this.text(option)
    if (text === null) return null
    if (!/^-?[0-9]{1,9}$/.test(text)) throw new Fault(`--${option} must be a whole number, not ${JSON.stringify(text)}`)
    return Number(text)
  }
}

/** Throws a Fault for what the command does not know, or misses. `name`: as it is shown, `apps:list`. */
export function parseArguments(name: string, command: Command, argv: readonly string[]): Arguments {
  const options = command.options ?? []
  const words: string[] = []
  const values = new Map<string, string>()
  const flags = new Set<string>()
  const seeUsage = `See 'deis help ${name}'.`

  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!
    if (word === '--') {
      words.push(...argv.slice(at + 1))
      break
    }
    const value = (shown: string): string => {
      const next = argv[++at]
      if (next === undefined) throw new Fault(`${shown} requires a value`, { hints: [seeUsage] })
      return next
    }
    if (word.startsWith('--')) {
      const equals = word.indexOf('=')
      const given = equals === -1 ? word.slice(2) : word.slice(2, equals)
      const option = longOption(name, options, given)
      const shown = `--${option.name}`
      if (option.value !== undefined) values.set(option.name, equals === -1 ? value(shown) : word.slice(equals + 1))
      else if (equals === -1) flags.add(option.name)
      else throw new Fault(`${shown} takes no value`, { hints: [seeUsage] })
    } else if (word.startsWith('-') && word !== '-') {
      for (let letter = 1; letter < word.length; letter++) {
        const shown = `-${word[letter]}`
        const option = options.find(({ short }) => short === word[letter])
        if (option === undefined) throw unknownOption(name, shown, options)
        if (option.value === undefined) flags.add(option.name)
        else {
          const rest = word.slice(letter + 1)
          values.set(option.name, rest === '' ? value(shown) : rest.replace(/^=/, ''))
          break
        }
      }
    } else words.push(word)
  }
  checkCount(name, command, words)
  return new Arguments(words, values, flags, options)
}

function longOption(name: string, options: readonly Option[], given: string): Option {
  const exact = options.find(option => option.name === given)
  if (exact !== undefined) return exact
  const meant = given === '' ? [] : options.filter(option => option.name.startsWith(given))
  if (meant.length === 1) return meant[0]!
  if (meant.length === 0) throw unknownOption(name, `--${given}`, options)
  throw new Fault(`--${given} could be ${meant.map(option => `--${option.name}`).join(' or ')}`)
}

function unknownOption(name: string, shown: string, options: readonly Option[]): Fault {
  const meant = nearest(
    shown,
    options.map(option => `--${option.name}`),
  )
  const hints = meant === null ? [] : [`Did you mean ${meant}?`]
  if (name === 'apps:run') hints.push("Options of the command itself follow --, as in 'deis run -- ls -l'.")
  return new Fault(`${name} has no option ${shown}`, { hints: [...hints, `See 'deis help ${name}'.`] })
}

function checkCount(name: string, { positionals = [] }: Command, words: readonly string[]): void {
  const hints = [`Usage: deis ${name} ${usageOf(positionals)}`.trimEnd(), `See 'deis help ${name}'.`]
  const missing = positionals.find(({ count }, at) => count !== 'optional' && words[at] === undefined)
  if (missing !== undefined) throw new Fault(`${name} requires ${missing.name.replace('[--] ', '')}`, { hints })
  if (words.length > positionals.length && positionals.at(-1)?.count !== 'many')
    throw new Fault(`${name} does not take ${JSON.stringify(words[positionals.length])}`, { hints })
}

/** As in a usage line: `<type> [<name>] <more>...` */
export function usageOf(positionals: NonNullable<Command['positionals']>): string {
  return positionals
    .map(({ name, count }) => (count === 'optional' ? `[${name}]` : count === 'many' ? `${name}...` : name))
    .join(' ')
}
