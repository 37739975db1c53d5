// What a service has to be told, whatever it is, and what comes of it.

import { StartupError } from '#kit/exit.ts'

export interface RunningService {
  /** On 127.0.0.1. */
  readonly port: number
  /** `patience`: milliseconds for what is under way. Resolves when nothing of it is left. */
  stop(patience: number): Promise<void>
}

/** Where all services but the router listen. */
export const address = '127.0.0.1'

type Command<Config> = { readonly kind: 'run'; readonly config: Config } | { readonly kind: 'print' }

/** What a command line of ours says: a mistake in it is no mistake of whoever started us. */
export function configOf<Config>(parse: () => Command<Config>): Config {
  try {
    const command = parse()
    if (command.kind === 'run') return command.config
  } catch (error) {
    throw error instanceof StartupError ? new Error(error.message, { cause: error }) : error
  }
  throw new Error('there is nothing to run')
}
