// The life of a service as a process: its command line, its start, its orderly end at SIGTERM, SIGINT or SIGHUP. Exit codes: 0 after
// an orderly end, 64, 69 and 70 as in kit/exit.ts; a second signal ends at once.

import type { ProgramCommand } from './command-line.ts'
import { exitCode, explainExit } from './exit.ts'
import { createLogger, flushLog, type Logger } from './log.ts'
import { onShutdown } from './shutdown.ts'

export interface RunningProgram {
  /** Resolves when everything that was under way has ended, or was given up. */
  stop(): Promise<unknown>
}

export interface Program<Config> {
  /** As lines on stderr begin: `deis-router`. */
  readonly name: string
  parse(): ProgramCommand<Config>
  /** `leave`: for what goes wrong so much later that nobody awaits it; ends the process. */
  start(config: Config, log: Logger, leave: (error: unknown) => never): Promise<RunningProgram>
}

/** Runs the program until a signal ends it. Never throws: what it cannot do is one line on stderr, and an exit code. */
export async function runProgram<Config>({ name, parse, start }: Program<Config>): Promise<void> {
  const leave = (error: unknown): never => {
    const { line, code } = explainExit(name, error)
    process.stderr.write(`${line}\n`)
    process.exit(code)
  }
  try {
    const command = parse()
    if (command.kind === 'print') {
      process.stdout.write(command.text)
      return
    }
    const running = await start(command.config, createLogger(), leave)
    const end = (): void => process.exit(exitCode.ok)
    onShutdown(() => void running.stop().then(flushLog).then(end, leave))
  } catch (error) {
    leave(error)
  }
}
