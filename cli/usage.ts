// Help: of `deis`, of a group, of a command.

import { usageOf } from './arguments.ts'
import { commandName, type Group, groups } from './catalogue.ts'
import type { Command, Option } from './command.ts'

export const usageLine = 'Usage: deis <command> [<args>...]'

const shortcutHelp: Readonly<Record<string, string>> = {
  create: 'create a new application',
  destroy: 'destroy an application',
  info: 'view information about the current app',
  logs: 'view aggregated log info for the app',
  open: 'open a URL to the app in a browser',
  pull: 'imports an image and deploys as a new release',
  run: 'run a command in an ephemeral app container',
  scale: 'scale processes by type (web=2, worker=1)',
}

export function mainHelp(): string {
  const rows = (entries: Iterable<readonly [string, string]>): string =>
    [...entries].map(([name, about]) => `  ${name.padEnd(13)} ${about}`).join('\n')
  const listed = Object.entries(groups)
    .filter(([, { about }]) => about !== '')
    .map(([name, { about }]) => [name, about] as const)
  return `The Deis command-line client issues API calls to a Deis controller.

${usageLine}

Options:
  -h --help
    display help information
  -v --version
    display client version
  -c --config=<config>
    a profile: the path of a JSON file, or a name, which is ~/.deis/<name>.json.
    Equivalent to setting $DEIS_PROFILE. Defaults to ~/.deis/client.json.
  --debug
    show requests (without secrets) and where errors come from

Auth commands, use 'deis help auth' to learn more:

${rows([
  ['register', 'register a new user with a controller'],
  ['login', 'login to a controller'],
  ['logout', 'logout from the current controller'],
])}

Subcommands, use 'deis help [subcommand]' to learn more:

${rows(listed)}

Shortcut commands, use 'deis shortcuts' to see all:

${rows(Object.entries(shortcutHelp))}

Use 'git push deis master' to deploy to an application.
`
}

export function groupHelp(name: string, { verbs }: Group): string {
  const names = Object.keys(verbs).map(verb => commandName(name, verb))
  const width = Math.max(...names.map(full => full.length)) + 8
  const rows = Object.values(verbs).map((about, at) => `${names[at]!.padEnd(width)}${about}`)
  return `Valid commands for ${name}:

${rows.join('\n')}

Use 'deis help [command]' to learn more.
`
}

export function commandHelp(name: string, { about, positionals = [], options = [] }: Command): string {
  const shownOptions = options.length === 0 ? '' : '[options]'
  // Where arguments may have options of their own, ours come first.
  const isLast = positionals.some(one => one.name.startsWith('[--]'))
  const order = isLast ? [shownOptions, usageOf(positionals)] : [usageOf(positionals), shownOptions]
  const usage = ['Usage: deis', name, ...order]
  const parts = [about.trim(), usage.filter(part => part !== '').join(' ')]
  if (positionals.length > 0)
    parts.push(`Arguments:\n${positionals.map(one => `  ${one.name}\n    ${one.help}`).join('\n')}`)
  if (options.length > 0) parts.push(`Options:\n${options.map(optionHelp).join('\n')}`)
  return `${parts.join('\n\n')}\n`
}

function optionHelp({ name, short, value, absent, help }: Option): string {
  const forms = `${short === undefined ? '' : `-${short} `}--${name}${value === undefined ? '' : `=<${value}>`}`
  return `  ${forms}\n    ${help}${absent === undefined ? '' : ` [default: ${absent}]`}`
}
