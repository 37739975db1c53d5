// How a process of ours ends when it cannot do its work: a code of sysexits.h, and one line that says what to change.

export const exitCode = {
  ok: 0,
  /** EX_USAGE: the command line, the environment or a file they name is wrong. Starting again will not help. */
  usage: 64,
  /** EX_UNAVAILABLE: something we need is taken or away. Starting again later may help. */
  unavailable: 69,
  /** EX_SOFTWARE: a fault of ours. */
  software: 70,
} as const

export type ExitCode = (typeof exitCode)[keyof typeof exitCode]

/** A start that cannot succeed. `message` is for the person who started us: no stack is shown. */
export class StartupError extends Error {
  readonly exitCode: ExitCode

  constructor(code: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StartupError'
    this.exitCode = code
  }
}

/** What to print, and the code to leave with. A StartupError is one line; any other error is a bug and shows its stack. */
export function explainExit(program: string, error: unknown): { readonly line: string; readonly code: ExitCode } {
  if (error instanceof StartupError) return { line: `${program}: ${oneLine(error.message)}`, code: error.exitCode }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { line: `${program}: internal error: ${text}`, code: exitCode.software }
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ')
}
