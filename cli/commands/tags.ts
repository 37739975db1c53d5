// Tags: which nodes an app may run on.

import { appOption, type Command, type Commands, jsonOption } from '../command.ts'
import { keyValueLines } from '../output/aligned.ts'
import type { Config } from './app-records.ts'
import { changeConfig, showConfig } from './config-change.ts'
import { parsePairs, removals } from './pairs.ts'

const list: Command = {
  about: 'Lists tags for an application.',
  options: [appOption, jsonOption],
  run: (context, args) => showConfig(context, args, (config, app) => tagLines(app, config)),
}

function tagLines(app: string, { tags }: Config): string[] {
  return [`=== ${app} Tags`, ...keyValueLines(tags, 5)]
}

const set: Command = {
  about:
    'Sets tags for an application.\n\n' +
    'A tag is a key/value pair used to tag an application, and is passed to the scheduler: its processes run on nodes with such labels.',
  positionals: [{ name: '<key>=<value>', count: 'many', help: "the tag key and value, such as 'environ=prod'" }],
  options: [appOption],
  async run(context, args) {
    const app = await context.app(args)
    const tags = parsePairs(args.from(0), 'rack=1 environment=production')
    await changeConfig(context, app, 'Applying tags', { tags }, config => tagLines(app, config))
  },
}

const unset: Command = {
  about: 'Unsets tags for an application.',
  positionals: [{ name: '<key>', count: 'many', help: "the tag key to unset, such as 'environ'" }],
  options: [appOption],
  async run(context, args) {
    const app = await context.app(args)
    const tags = removals(args.from(0))
    await changeConfig(context, app, 'Applying tags', { tags }, config => tagLines(app, config))
  },
}

export const commands: Commands = { list, set, unset }
