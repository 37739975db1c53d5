// What a service has to be told, whatever it is, and what comes of it.

import { configOf, type ProgramCommand } from '#kit/command-line.ts'
import { StartupError } from '#kit/exit.ts'

export interface RunningService {
  /** On 127.0.0.1. */
  readonly port: number
  /** `patience`: milliseconds for what is under way. Resolves when nothing of it is left. */
  stop(patience: number): Promise<void>
}

/** Where all services but the router listen. */
export const address = '127.0.0.1'

/** What a command line of ours says: a mistake in it is no mistake of whoever started us. */
export function ownConfig<Config>(parse: () => ProgramCommand<Config>): Config {
  try {
    return configOf(parse())
  } catch (error) {
    throw error instanceof StartupError ? new Error(error.message, { cause: error }) : error
  }
}
