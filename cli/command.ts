// What a command is: data for its help, its arguments and its completion, and the function that runs it.

import type { Arguments } from './arguments.ts'
import type { Context } from './context.ts'

export interface Option {
  /** Without its hyphens. */
  readonly name: string
  readonly short?: string
  /** What its value is called; a flag has none. */
  readonly value?: string
  /** Its value when it is not given. */
  readonly absent?: string
  readonly help: string
}

export interface Positional {
  /** As in the usage: `<domain>`. */
  readonly name: string
  readonly help: string
  readonly count: 'one' | 'optional' | 'many'
}

export interface Command {
  /** First lines of its help. */
  readonly about: string
  readonly positionals?: readonly Positional[]
  readonly options?: readonly Option[]
  /** Throws a Fault. Ends well with exit code 0, or with what `context.leave` was told. */
  run(context: Context, args: Arguments): Promise<void>
}

/** By verb. */
export type Commands = Readonly<Record<string, Command>>

export const appOption: Option = {
  name: 'app',
  short: 'a',
  value: 'app',
  help: 'the uniquely identifiable name of the application.',
}

export const limitOption: Option = {
  name: 'limit',
  short: 'l',
  value: 'num',
  help: 'the maximum number of results to display, defaults to config setting; 0 is no limit',
}

export const jsonOption: Option = {
  name: 'json',
  help: 'print what the controller answers, as one JSON document.',
}
