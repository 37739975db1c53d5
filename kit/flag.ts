// What a flag of our programs is: what it may hold and becomes, what it is when nobody says, and what --help says of it, in one
// row. Times are given in seconds or minutes and become milliseconds, sizes become octets. What many programs have is here.

import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Flag<T> {
  readonly argument: string
  /** With what it is when nobody says, as --help shows it. */
  readonly help: string
  /** Without its hyphens, when it is not made of the key: `http-port` of `httpPort`. */
  readonly name?: string
  /** When it is not made of the program's prefix and the name. */
  readonly variable?: string
  /** Of flags with the same word here one that is given overrules the variables of the others. */
  readonly choiceOf?: string
  /** What it must be. */
  readonly what: string
  /** Undefined: it is not what it must be. */
  readonly parse: (text: string) => T | undefined
  /** What it is when nobody says, or a fault is found; for some that is in the environment, or is a fault of its own. */
  readonly absent: (env: Environment, faults: string[]) => T
}

export type Flags = Readonly<Record<string, Flag<unknown>>>

export type ValuesOf<F extends Flags> = { readonly [Key in keyof F]: F[Key] extends Flag<infer T> ? T : never }

/** `parse` gives null for what is none. A text that it is when nobody says is shown; of anything else `help` has to tell. */
export function parsed<T, const Absent>(
  absent: Absent,
  argument: string,
  what: string,
  parse: (text: string) => T | null,
  help: string,
): Flag<T | Absent> {
  const shown = typeof absent === 'string' ? withDefault(help, absent) : help
  return { argument, help: shown, what, parse: text => parse(text) ?? undefined, absent: () => absent }
}

export function text<Absent extends string | null>(
  absent: Absent,
  argument: string,
  help: string,
): Flag<string | Absent> {
  return parsed<string, Absent>(absent, argument, 'a text', given => given, help)
}

/** With commas between; empty ones do not count. */
export function list(absent: readonly string[], argument: string, help: string): Flag<readonly string[]> {
  return parsed<readonly string[], readonly string[]>(absent, argument, 'a list', listOf, help)
}

export function listOf(given: string): readonly string[] {
  return given
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
}

export function oneOf<T extends string, Absent extends T | null>(
  absent: Absent,
  choices: readonly T[],
  argument: string,
  help: string,
): Flag<T | Absent> {
  const parse = (given: string): T | null => choices.find(choice => choice === given) ?? null
  return parsed<T, Absent>(absent, argument, choices.join(' or '), parse, help)
}

export function onOff<Absent extends boolean | null>(absent: Absent, help: string): Flag<boolean | Absent> {
  const parse = (given: string): boolean | null => (given === 'on' ? true : given === 'off' ? false : null)
  const shown = absent === null ? null : absent ? 'on' : 'off'
  return parsed<boolean, Absent>(absent, 'on|off', 'on or off', parse, withDefault(help, shown))
}

export type Range = readonly [least: number, most: number]

/** A whole number. */
export function count<Absent extends number | null>(
  absent: Absent,
  range: Range,
  help: string,
  note?: string,
): Flag<number | Absent> {
  return scaled(absent, 1, 'N', range, help, note)
}

export function milliseconds(absent: number, range: Range, help: string): Flag<number> {
  return scaled(absent, 1, 'MILLISECONDS', range, help)
}

export function seconds(absent: number, range: Range, help: string): Flag<number> {
  return scaled(absent, 1000, 'SECONDS', range, help)
}

export function minutes(absent: number, range: Range, help: string, note?: string): Flag<number> {
  return scaled(absent, 60_000, 'MINUTES', range, help, note)
}

export function kilobytes(absent: number, range: Range, help: string): Flag<number> {
  return scaled(absent, 1024, 'KB', range, help)
}

export function megabytes(absent: number, range: Range, help: string): Flag<number> {
  return scaled(absent, 1024 * 1024, 'MB', range, help)
}

/** 0: the kernel chooses. */
export function port<Absent extends number | null>(absent: Absent, help: string, note?: string): Flag<number | Absent> {
  return scaled(absent, 1, 'PORT', [0, 65_535], help, note)
}

/** Null: `off`. */
export function portOrOff(absent: number, help: string): Flag<number | null> {
  const { parse } = port(absent, help)
  return {
    argument: 'PORT|off',
    help: withDefault(help, absent),
    what: 'a port or off',
    parse: given => (given === 'off' ? null : parse(given)),
    absent: () => absent,
  }
}

/** The key is `address`. */
export function listenAddress(absent = '0.0.0.0', help = 'IP address to listen on'): Flag<string> {
  const parse = (given: string): string | null => (isIP(given) === 0 ? null : given)
  return parsed<string, string>(absent, 'ADDRESS', 'an IP address', parse, help)
}

/** How long what is under way may go on after SIGTERM. The key is `drainTimeout`. */
export function drainTimeout(absent: number, help: string): Flag<number> {
  return seconds(absent, [0, 86_400], help)
}

/** What is in a file. `parse` throws, or gives null, for what is none. */
export function file<T>(what: string, parse: (content: string) => T | null, help: string): Flag<T | null> {
  const read = (path: string): T | null => {
    try {
      return parse(readFileSync(path, 'utf8'))
    } catch {
      return null
    }
  }
  return parsed<T, null>(null, 'FILE', `a file with ${what}`, read, help)
}

/** What the environment says in other ways when nobody gives the flag. */
export function otherwise<T>(flag: Flag<T | null>, absent: Flag<T>['absent']): Flag<T> {
  return { ...flag, parse: given => flag.parse(given) ?? undefined, absent }
}

/**
 * One that has to be there, or something of the environment in its place. `find` gives null when there is nothing either: that
 * is the fault `missing`, unless it has told one of its own. `placeholder` stands for it then.
 */
export function required<T>(
  flag: Flag<T | null>,
  missing: string,
  placeholder: T,
  find: Flag<T | null>['absent'] = () => null,
): Flag<T> {
  return otherwise(flag, (env, faults) => {
    const before = faults.length
    const found = find(env, faults)
    if (found === null && faults.length === before) faults.push(missing)
    return found ?? placeholder
  })
}

function scaled<Absent extends number | null>(
  absent: Absent,
  unit: number,
  argument: string,
  [least, most]: Range,
  help: string,
  note?: string,
): Flag<number | Absent> {
  return {
    argument,
    help: withDefault(help, absent, note),
    what: `a whole number from ${least} to ${most}`,
    parse: given => {
      const number = /^[0-9]{1,9}$/.test(given) ? Number(given) : Number.NaN
      return number >= least && number <= most ? number * unit : undefined
    },
    absent: () => (typeof absent === 'number' ? absent * unit : absent),
  }
}

function withDefault(help: string, absent: string | number | null, note?: string): string {
  return absent === null ? help : `${help} (default ${absent}${note === undefined ? '' : `; ${note}`})`
}
