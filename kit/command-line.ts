// Command lines of our programs: each flag is also a variable of the environment. A flag beats its variable, an empty
// variable counts as absent, and all faults are reported together. Pure: arguments and environment come in.

import { Command, CommanderError, Option } from 'commander'
import { exitCode, StartupError } from './exit.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Flag {
  /** Without its hyphens. */
  readonly name: string
  readonly argument: string
  readonly help: string
  /** When it is not made of the program's prefix and the flag's name. */
  readonly variable?: string
}

export interface Program<Key extends string> {
  readonly name: string
  readonly description: string
  readonly version: string
  /** Of variables: `DEIS_ROUTER_`. */
  readonly prefix: string
  readonly flags: Readonly<Record<Key, Flag>>
}

export type CommandLine<Key extends string> =
  | { readonly kind: 'run'; readonly values: FlagValues<Key> }
  /** `--help` or `--version`: print this on stdout and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

/** Reads the arguments after `node main.ts`. */
export function readCommandLine<Key extends string>(
  program: Program<Key>,
  argv: readonly string[],
  env: Environment,
): CommandLine<Key> {
  const faults: string[] = []
  let printed = ''
  const command = new Command(program.name)
    .description(program.description)
    .version(program.version)
    .allowUnknownOption()
    .allowExcessArguments()
    .exitOverride()
    .configureOutput({ writeOut: text => (printed += text), writeErr: () => {} })
  const keys = Object.keys(program.flags) as Key[]
  for (const key of keys) {
    const { name, argument, help } = program.flags[key]
    command.addOption(new Option(`--${name} <${argument}>`, `${help} [${variableOf(program, key)}]`))
  }
  try {
    command.parse([...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { kind: 'print', text: printed }
    faults.push(error.message.replace(/^error: /, ''))
  }
  for (const unknown of command.args) faults.push(`unknown argument ${JSON.stringify(unknown)}`)
  // Commander names options in camel case, we by keys.
  const options = command.opts<Record<string, string>>()
  const given = new Map<Key, string>()
  for (const key of keys) {
    const text = options[program.flags[key].name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())]
    if (text !== undefined) given.set(key, text)
  }
  return { kind: 'run', values: new FlagValues(program, given, env, faults) }
}

function variableOf<Key extends string>({ prefix, flags }: Program<Key>, key: Key): string {
  const { name, variable } = flags[key]
  return variable ?? `${prefix}${name.toUpperCase().replaceAll('-', '_')}`
}

export class FlagValues<Key extends string> {
  /** Sentences; whoever finds something wrong adds one. */
  readonly faults: string[]
  readonly #program: Program<Key>
  readonly #given: ReadonlyMap<Key, string>
  readonly #env: Environment
  readonly #flagsOnly = new Set<Key>()

  constructor(program: Program<Key>, given: ReadonlyMap<Key, string>, env: Environment, faults: string[]) {
    this.#program = program
    this.#given = given
    this.#env = env
    this.faults = faults
  }

  /** One of these as a flag overrules the others as variables. */
  alternatives(keys: readonly Key[]): void {
    if (keys.some(key => this.#given.has(key))) for (const key of keys) this.#flagsOnly.add(key)
  }

  text(key: Key): string | null {
    const found = this.#find(key)
    if (found?.text === '') this.faults.push(`${found.from} is empty`)
    return found?.text ?? null
  }

  number<T>(key: Key, least: number, most: number, absent: T): number | T {
    const found = this.#find(key)
    if (found === null) return absent
    const parsed = /^[0-9]{1,9}$/.test(found.text) ? Number(found.text) : Number.NaN
    if (parsed >= least && parsed <= most) return parsed
    this.faults.push(`${found.from} must be a whole number from ${least} to ${most}, not ${JSON.stringify(found.text)}`)
    return absent
  }

  /** 0: the kernel chooses. */
  port(key: Key, absent: number): number {
    return this.number(key, 0, 65_535, absent)
  }

  choice<T extends string>(key: Key, choices: readonly T[], absent: T): T {
    const found = this.#find(key)
    if (found === null) return absent
    const chosen = choices.find(one => one === found.text)
    if (chosen === undefined)
      this.faults.push(`${found.from} must be ${choices.join(' or ')}, not ${JSON.stringify(found.text)}`)
    return chosen ?? absent
  }

  onOff(key: Key, absent: 'on' | 'off'): boolean {
    return this.choice(key, ['on', 'off'], absent) === 'on'
  }

  /** Null when there is none; and null, with a fault, when `parse` gives null for it. `what`: what it should be. */
  parsed<T>(key: Key, what: string, parse: (text: string) => T | null): T | null {
    const found = this.#find(key)
    if (found === null) return null
    const result = parse(found.text)
    if (result === null) this.faults.push(`${found.from} must be ${what}, not ${JSON.stringify(found.text)}`)
    return result
  }

  /** Throws a StartupError 64 that names all faults. */
  check(): void {
    if (this.faults.length > 0)
      throw new StartupError(exitCode.usage, `${this.faults.join('; ')} (--help lists the flags)`)
  }

  #find(key: Key): { readonly text: string; readonly from: string } | null {
    const text = this.#given.get(key)
    if (text !== undefined) return { text, from: `--${this.#program.flags[key].name}` }
    if (this.#flagsOnly.has(key)) return null
    const from = variableOf(this.#program, key)
    const variable = this.#env[from]
    return variable === undefined || variable === '' ? null : { text: variable, from }
  }
}
