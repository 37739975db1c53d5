// Command lines of our programs: each flag is also a variable of the environment. A flag beats its variable, an empty
// variable counts as absent, and all faults are reported together. Arguments and environment come in.

import { Command, CommanderError, Option } from 'commander'
import { exitCode, StartupError } from './exit.ts'
import type { Environment, Flag, Flags, ValuesOf } from './flag.ts'

/** Flags in the order of --help; a program takes together what becomes something together. */
type Sections = Readonly<Record<string, Flags>>

type SectionValues<S extends Sections> = { readonly [Name in keyof S]: ValuesOf<S[Name]> }

export interface Program<S extends Sections> {
  readonly name: string
  readonly description: string
  readonly version: string
  /** Of variables: `DEIS_ROUTER_`. */
  readonly prefix: string
  readonly flags: S
}

export type ProgramCommand<Config> =
  | { readonly kind: 'run'; readonly config: Config }
  /** `--help` or `--version`: print this on stdout and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

/**
 * Reads the arguments after `node main.ts`. `make` gets what the flags say and makes the configuration of it; what it finds
 * wrong it adds to `faults`, as a sentence. All faults together are one StartupError 64, and nothing is made of such values.
 */
export function readCommandLine<S extends Sections, Config>(
  program: Program<S>,
  argv: readonly string[],
  env: Environment,
  make: (values: SectionValues<S>, faults: string[]) => Config,
): ProgramCommand<Config> {
  const rows = rowsOf(program)
  const given = parseArguments(program, rows, argv)
  if (given.kind === 'print') return given
  const { texts, faults } = given
  const chosen = new Set([...texts.keys()].map(({ flag }) => flag.choiceOf))
  const textOf = (row: Row): Text | null => {
    const text = texts.get(row)
    if (text !== undefined) return { text, from: `--${row.name}` }
    const isOverruled = row.flag.choiceOf !== undefined && chosen.has(row.flag.choiceOf)
    const variable = isOverruled ? '' : (env[row.variable] ?? '')
    return variable === '' ? null : { text: variable, from: row.variable }
  }
  const values: Record<string, Record<string, unknown>> = {}
  for (const row of rows) {
    const value = read(row, textOf(row), env, faults)
    values[row.section] = { ...values[row.section], [row.key]: value }
  }
  const config = make(values as SectionValues<S>, faults)
  if (faults.length > 0) throw new StartupError(exitCode.usage, `${faults.join('; ')} (--help lists the flags)`)
  return { kind: 'run', config }
}

/** A flag, and how it is called. */
interface Row {
  readonly section: string
  readonly key: string
  readonly flag: Flag<unknown>
  readonly name: string
  readonly variable: string
}

function rowsOf({ flags, prefix }: Program<Sections>): readonly Row[] {
  return Object.entries(flags).flatMap(([section, its]) =>
    Object.entries(its).map(([key, flag]) => {
      const name = flag.name ?? flagName(key)
      const variable = flag.variable ?? `${prefix}${name.toUpperCase().replaceAll('-', '_')}`
      return { section, key, flag, name, variable }
    }),
  )
}

function flagName(key: string): string {
  return key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

interface Text {
  readonly text: string
  readonly from: string
}

function read({ flag }: Row, given: Text | null, env: Environment, faults: string[]): unknown {
  if (given === null) return flag.absent(env, faults)
  const { text, from } = given
  const value = text === '' ? undefined : flag.parse(text)
  if (value !== undefined) return value
  faults.push(text === '' ? `${from} is empty` : `${from} must be ${flag.what}, not ${JSON.stringify(text)}`)
  // What is missing because of it is the same mistake.
  return flag.absent(env, [])
}

type Arguments =
  | { readonly kind: 'texts'; readonly texts: ReadonlyMap<Row, string>; readonly faults: string[] }
  | { readonly kind: 'print'; readonly text: string }

function parseArguments(program: Program<Sections>, rows: readonly Row[], argv: readonly string[]): Arguments {
  const faults: string[] = []
  let printed = ''
  const command = new Command(program.name)
    .description(program.description)
    .version(program.version)
    .allowUnknownOption()
    .allowExcessArguments()
    .exitOverride()
    .configureOutput({ writeOut: text => (printed += text), writeErr: () => {} })
  const options = rows.map(({ flag, name, variable }) => {
    const option = new Option(`--${name} <${flag.argument}>`, `${flag.help} [${variable}]`)
    command.addOption(option)
    return option.attributeName()
  })
  try {
    command.parse([...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { kind: 'print', text: printed }
    faults.push(error.message.replace(/^error: /, ''))
  }
  for (const unknown of command.args) faults.push(`unknown argument ${JSON.stringify(unknown)}`)
  const texts = rows.flatMap((row, at) => {
    const text = command.getOptionValue(options[at]!) as string | undefined
    return text === undefined ? [] : [[row, text] as const]
  })
  return { kind: 'texts', texts: new Map(texts), faults }
}

/** Of ports of one address, by their keys, those that are the same; 0 and null are never. Sentences. */
export function samePorts(ports: Readonly<Record<string, number | null>>): readonly string[] {
  const taken = new Map<number, string>()
  return Object.entries(ports).flatMap(([key, port]) => {
    if (port === null || port === 0) return []
    const other = taken.get(port)
    if (other !== undefined) return [`--${flagName(other)} and --${flagName(key)} are both ${port}`]
    taken.set(port, key)
    return []
  })
}

/** What a command line says that asks for no help. */
export function configOf<Config>(command: ProgramCommand<Config>): Config {
  if (command.kind === 'run') return command.config
  throw new Error('it would print something instead')
}
