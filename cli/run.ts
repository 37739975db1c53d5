// A run of the command line, from its words to its exit code.

import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { isPage } from './api-error.ts'
import { parseArguments } from './arguments.ts'
import { commandName, commandNames, groups, shortcuts } from './catalogue.ts'
import { Context } from './context.ts'
import { AnswerFault, Fault } from './fault.ts'
import { takeGlobals } from './globals.ts'
import { nearest } from './nearest.ts'
import type { Surroundings } from './surroundings.ts'
import { commandHelp, groupHelp, mainHelp, usageLine } from './usage.ts'

/** Never throws. What it cannot do is a line on stderr, what to try after it, and exit code 1. */
export async function run(argv: readonly string[], around: Surroundings): Promise<number> {
  const { words, globals } = takeGlobals(argv)
  const context = new Context(around, globals)
  try {
    return await dispatch(words, context)
  } catch (error) {
    await tell(error, words, context)
    return 1
  } finally {
    for (const notice of context.notices) context.output.warn(notice)
  }
}

async function dispatch(given: readonly string[], context: Context): Promise<number> {
  const { output } = context
  const [first, ...rest] = asCommand(given)
  if (first === undefined) {
    output.printError(`${usageLine}\n`)
    return 1
  }
  if (first === 'help') {
    output.print(mainHelp())
    return 0
  }
  if (first === '__complete') {
    const { complete } = await import('./complete.ts')
    output.lines(await complete(rest.slice(rest[0] === '--' ? 1 : 0), context))
    return 0
  }
  const typed = Object.hasOwn(shortcuts, first) ? shortcuts[first]! : first
  const colon = typed.indexOf(':')
  const groupName = colon === -1 ? typed : typed.slice(0, colon)
  const group = Object.hasOwn(groups, groupName) ? groups[groupName]! : null
  if (group === null) return runOther(groupName, colon === -1 ? null : typed.slice(colon + 1), rest, context)

  const wantsHelp = asksForHelp(rest)
  if (colon === -1 && ((wantsHelp && !Object.hasOwn(group.verbs, '')) || group.bare === null)) {
    output.print(groupHelp(groupName, group))
    return 0
  }
  const verb = colon === -1 ? group.bare! : typed.slice(colon + 1)
  if (!Object.hasOwn(group.verbs, verb) || (colon !== -1 && verb === '')) {
    noMatch(typed, context)
    // As the original does: only a group that nobody knows is an error.
    return 0
  }
  const name = commandName(groupName, verb)
  const command = (await group.load()).commands[verb]!
  if (wantsHelp) output.print(commandHelp(name, command))
  else await command.run(context, parseArguments(name, command, rest))
  return context.exitCode
}

/** `--version` alone is `version`, and `help X` is `X --help`. */
function asCommand([first, ...rest]: readonly string[]): readonly string[] {
  if (first === '-v' || first === '--version') return ['version', ...rest]
  if (first !== 'help' && first !== '-h' && first !== '--help') return first === undefined ? [] : [first, ...rest]
  return rest[0] === undefined || rest[0].startsWith('-') ? ['help'] : [rest[0], '--help']
}

function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return (end === -1 ? words : words.slice(0, end)).some(word => word === '-h' || word === '--help')
}

function noMatch(typed: string, { output }: Context): void {
  output.printError(`Found no matching command, try 'deis help'\n${usageLine}\n`)
  const meant = nearest(typed, commandNames())
  if (meant !== null) output.printError(`Did you mean 'deis ${meant}'?\n`)
}

/** A group of somebody else's: `deis foo:bar --x` is `deis-foo bar --x`. */
async function runOther(
  group: string,
  verb: string | null,
  rest: readonly string[],
  context: Context,
): Promise<number> {
  const { around, globals } = context
  const program = /[/\\]/.test(group) ? null : await find(`deis-${group}`, around)
  if (program === null) {
    noMatch(verb === null ? group : `${group}:${verb}`, context)
    return 1
  }
  const { spawn } = await import('node:child_process')
  const child = spawn(program, verb === null ? rest : [verb, ...rest], {
    cwd: around.directory,
    env: globals.profile === null ? around.env : { ...around.env, DEIS_PROFILE: globals.profile },
    stdio: 'inherit',
  })
  return new Promise((resolve, reject) => {
    child.once('error', error => reject(new Fault(`${program} cannot be run: ${error.message}`)))
    child.once('exit', code => resolve(code ?? 1))
  })
}

async function find(name: string, { env }: Surroundings): Promise<string | null> {
  for (const directory of (env.PATH ?? '').split(delimiter)) {
    if (directory === '') continue
    const file = join(directory, name)
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return file
  }
  return null
}

async function tell(error: unknown, words: readonly string[], context: Context): Promise<void> {
  const { output, globals } = context
  const fault = error instanceof Fault ? error : new Fault(error instanceof Error ? error.message : String(error))
  output.printError(`${fault.prefix}${output.paintError('red', 'Error:')} ${fault.message.trimEnd()}\n`)
  for (const hint of [...fault.hints, ...(await hintsOf(error, words, context))]) output.printError(`${hint}\n`)
  if (globals.debug)
    for (let at: unknown = error; at instanceof Error; at = at.cause) output.printError(`${at.stack}\n`)
}

/** What to try, for answers of the controller. */
async function hintsOf(error: unknown, words: readonly string[], context: Context): Promise<readonly string[]> {
  if (!(error instanceof Fault))
    return context.globals.debug ? [] : ['This is a fault of the client: --debug shows where it comes from.']
  if (!(error instanceof AnswerFault)) return []
  const profile = await context.profile().catch(() => null)
  if (error.status === 401 && profile !== null)
    return [`${profile.controller.href} does not know your token (any more): deis login ${profile.controller.href}`]
  if (error.status === 404 && error.body.includes('No App matches')) {
    const { hintForApp } = await import('./app-hint.ts')
    return hintForApp(words, context)
  }
  if (error.status >= 500 && isPage(error.body))
    return [
      `${profile?.controller.href ?? 'The controller'} does not answer just now, what is in front of it does: try again.`,
    ]
  if (error.status >= 500) return ['The log of the controller tells more.']
  return []
}
