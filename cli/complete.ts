// What may come next on a command line, for shells to offer.

import { commandNames, groups, shortcuts } from './catalogue.ts'
import type { Command } from './command.ts'
import { Context } from './context.ts'
import { takeGlobals } from './globals.ts'

/** Milliseconds: somebody waits with a finger on the key. */
const patience = 1_000
const shells = ['bash', 'fish', 'zsh']

/** `words`: those after `deis`; the last is the one to complete, and may be empty. Never throws. */
export async function complete(words: readonly string[], { around }: Context): Promise<readonly string[]> {
  const last = words.at(-1) ?? ''
  const { words: before, globals } = takeGlobals(words.slice(0, -1))
  const context = new Context(around, globals)
  const candidates = await candidatesOf(before, last, context).catch(() => [])
  return candidates.filter(candidate => candidate.startsWith(last)).sort()
}

async function candidatesOf(before: readonly string[], last: string, context: Context): Promise<readonly string[]> {
  const [first, ...rest] = before
  if (first === undefined) return last.startsWith('-') ? ['--config', '--debug', '--help', '--version'] : commandNames()
  if (first === 'help') return rest.length === 0 ? commandNames() : []
  const command = await commandOf(first)
  if (command === null || rest.includes('--')) return []
  const options = command.options ?? []
  const previous = options.find(({ name, short }) => [`--${name}`, `-${short}`].includes(rest.at(-1) ?? ''))
  if (previous?.value !== undefined) return previous.name === 'app' ? appNames(context) : []
  if (last.startsWith('--app=')) return (await appNames(context)).map(name => `--app=${name}`)
  if (last.startsWith('-')) return [...options.map(({ name }) => `--${name}`), '--config', '--debug', '--help']
  if (first === 'completion' && rest.length === 0) return shells
  return []
}

async function commandOf(typed: string): Promise<Command | null> {
  const full = Object.hasOwn(shortcuts, typed) ? shortcuts[typed]! : typed
  const [name = '', verb] = full.split(':')
  if (!Object.hasOwn(groups, name)) return null
  const group = groups[name]!
  const { commands } = await group.load()
  const found = verb ?? group.bare
  return found !== null && Object.hasOwn(commands, found) ? commands[found]! : null
}

async function appNames(context: Context): Promise<readonly string[]> {
  const { results } = await (await context.client()).page<{ id: string }>('/apps/', 1000, { timeout: patience })
  return results.map(({ id }) => id)
}
