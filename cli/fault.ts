// An error that the person at the terminal can do something about: one text, and what to try.

export interface FaultOptions extends ErrorOptions {
  /** Lines that follow the text on stderr. */
  readonly hints?: readonly string[]
  /** What stands before `Error:` on the same line: `Registration failed: `. */
  readonly prefix?: string
}

export class Fault extends Error {
  readonly hints: readonly string[]
  readonly prefix: string

  constructor(message: string, { hints = [], prefix = '', ...options }: FaultOptions = {}) {
    super(message, options)
    this.name = 'Fault'
    this.hints = hints
    this.prefix = prefix
  }
}

/** What the controller answered, when it was no success. */
export class AnswerFault extends Fault {
  readonly status: number
  readonly body: string

  constructor(message: string, status: number, body: string, options?: FaultOptions) {
    super(message, options)
    this.status = status
    this.body = body
  }
}

/** The word of the system for what went wrong (`ENOENT`), or the message. */
export function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return code ?? (error instanceof Error ? error.message : String(error))
}
