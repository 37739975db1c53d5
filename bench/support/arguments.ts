// Values of command line options, checked; commander turns the errors into a message and an exit.

import { type Command, InvalidArgumentError } from 'commander'

/** A whole number from 1 on. */
export function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('A whole number from 1 on is needed.')
  return Number(text)
}

/** A comma list of known names, returned in the order in which they are known. */
export function namesOf(known: readonly string[]): (text: string) => string[] {
  return text => {
    const wanted = text.split(',').map(name => name.trim())
    const unknown = wanted.filter(name => !known.includes(name))
    if (unknown.length > 0) throw new InvalidArgumentError(`Not known: ${unknown.join(', ')}.`)
    return known.filter(name => wanted.includes(name))
  }
}

/** Ends the process with 0 after help and with 64 after a mistake. */
export function exitOnMistake(command: Command): Command {
  return command.exitOverride(error => process.exit(error.exitCode === 0 ? 0 : 64))
}

/** How to run a script again, for the record: where its result went does not matter, and paths are nobody's business. */
export function commandLine(script: string, args: readonly string[]): string {
  const kept = args.filter((arg, index) => !/^--json(=|$)/.test(arg) && args[index - 1] !== '--json')
  return ['npm run', script, ...(kept.length > 0 ? ['--', ...kept] : [])].join(' ')
}
