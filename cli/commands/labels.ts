// Labels of apps: what people note of them.

import { appOption, type Command, type Commands, jsonOption } from '../command.ts'
import { keyValueLines } from '../output/aligned.ts'
import { pathOf, type Settings } from './app-records.ts'
import { parsePairs, removals } from './pairs.ts'

const list: Command = {
  about: 'Prints a list of labels of the application.',
  options: [appOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const settings = await (await context.client()).get<Settings>(`${pathOf(app)}/settings/`)
    if (args.flag('json')) output.json(settings)
    else output.lines(labelBlock(app, settings.label ?? {}))
  },
}

export function labelBlock(app: string, labels: Readonly<Record<string, unknown>>): string[] {
  const entries = Object.entries(labels).map(([key, value]) => [`${key}:`, value] as const)
  const lines = entries.length === 0 ? ['No labels found.'] : keyValueLines(Object.fromEntries(entries), 6)
  return [`=== ${app} Label`, ...lines]
}

const set: Command = {
  about: 'Sets labels for an application.\n\nA label is a key/value pair that people note an application by.',
  positionals: [{ name: '<key>=<value>', count: 'many', help: "the label key and value, such as 'team=frontend'" }],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const label = parsePairs(args.from(0), 'git_repo=https://git.example.com/shop team=frontend')
    const client = await context.client()
    output.print(`Applying labels on ${app}... `)
    await output.progress(client.post(`${pathOf(app)}/settings/`, { label }))
    output.line('done')
  },
}

const unset: Command = {
  about: 'Unsets labels for an application.',
  positionals: [{ name: '<key>', count: 'many', help: "the label key to unset, such as 'team'" }],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const client = await context.client()
    output.print(`Removing labels on ${app}... `)
    await output.progress(client.post(`${pathOf(app)}/settings/`, { label: removals(args.from(0)) }))
    output.line('done')
  },
}

export const commands: Commands = { list, set, unset }
