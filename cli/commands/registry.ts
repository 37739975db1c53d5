// Who an app is at a private registry.

import { appOption, type Command, type Commands, jsonOption } from '../command.ts'
import { Fault } from '../fault.ts'
import { keyValueLines } from '../output/aligned.ts'
import type { Config } from './app-records.ts'
import { changeConfig, showConfig } from './config-change.ts'
import { removals } from './pairs.ts'

const list: Command = {
  about: 'Lists registry information for an application.',
  options: [appOption, jsonOption],
  run: (context, args) => showConfig(context, args, (config, app) => registryLines(app, config)),
}

function registryLines(app: string, { registry }: Config): string[] {
  return [`=== ${app} Registry`, ...keyValueLines(registry, 5)]
}

const set: Command = {
  about: 'Sets registry information for an application.\n\nIts config must hold a PORT then.',
  positionals: [
    { name: '<key>=<value>', count: 'many', help: "'username' or 'password', and what it is, such as 'username=bob'" },
  ],
  options: [appOption],
  async run(context, args) {
    const app = await context.app(args)
    const registry = parseRegistry(args.from(0))
    await changeConfig(context, app, 'Applying registry information', { registry }, config =>
      registryLines(app, config),
    )
  },
}

export function parseRegistry(words: readonly string[]): Record<string, string> {
  const registry: Record<string, string> = Object.create(null)
  for (const word of words) {
    const [, key, value] = /^([^=]+)=([\s\S]+)$/.exec(word) ?? []
    if (key === undefined || value === undefined)
      throw new Fault(`${word} is invalid. Must be in format key=value\nExamples: username=bob password=s3cur3pw1`)
    if (key !== 'username' && key !== 'password')
      throw new Fault(`${key} is invalid. Valid keys are "username" or "password"`)
    registry[key] = value
  }
  return registry
}

const unset: Command = {
  about: 'Unsets registry information for an application.',
  positionals: [{ name: '<key>', count: 'many', help: "the registry key to unset: 'username' or 'password'" }],
  options: [appOption],
  async run(context, args) {
    const app = await context.app(args)
    const registry = removals(args.from(0))
    await changeConfig(context, app, 'Applying registry information', { registry }, config =>
      registryLines(app, config),
    )
  },
}

export const commands: Commands = { list, set, unset }
