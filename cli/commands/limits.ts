// Limits of memory and CPU.

import type { Arguments } from '../arguments.ts'
import { appOption, type Command, type Commands, jsonOption, type Option } from '../command.ts'
import { Fault } from '../fault.ts'
import { keyValueLines } from '../output/aligned.ts'
import type { Config } from './app-records.ts'
import { changeConfig, showConfig } from './config-change.ts'
import { removals } from './pairs.ts'

const kinds: readonly Option[] = [
  { name: 'cpu', help: 'limit CPU shares.' },
  { name: 'memory', short: 'm', help: 'limit memory, which is the default.' },
]

const list: Command = {
  about: 'Lists resource limits for an application.',
  options: [appOption, jsonOption],
  run: (context, args) => showConfig(context, args, (config, app) => limitLines(app, config)),
}

function limitLines(app: string, { memory, cpu }: Config): string[] {
  const block = (limits: Readonly<Record<string, unknown>>): string[] =>
    Object.keys(limits).length === 0 ? ['Unlimited'] : keyValueLines(limits, 5)
  return [`=== ${app} Limits`, '', '--- Memory', ...block(memory), '', '--- CPU', ...block(cpu)]
}

const set: Command = {
  about:
    'Sets resource limits for an application.\n\n' +
    'A resource limit is a finite resource within a container which we can apply restrictions\n' +
    'through Kubernetes: web=2G, or web=1G/2G for what is requested and the limit.',
  positionals: [
    {
      name: '<type>=<value>',
      count: 'many',
      help: 'the process type and its limit: memory as 64M or 2G, CPU as 250m or 1.5',
    },
  ],
  options: [appOption, ...kinds],
  async run(context, args) {
    const app = await context.app(args)
    const limits = parseLimits(args.from(0))
    await changeConfig(context, app, 'Applying limits', part(args, limits), config => limitLines(app, config))
  },
}

const unset: Command = {
  about: 'Unsets resource limits for an application.',
  positionals: [{ name: '<type>', count: 'many', help: "the process type, such as 'web'" }],
  options: [appOption, ...kinds],
  async run(context, args) {
    const app = await context.app(args)
    const limits = removals(args.from(0))
    await changeConfig(context, app, 'Applying limits', part(args, limits), config => limitLines(app, config))
  },
}

function part(args: Arguments, limits: unknown): unknown {
  return args.flag('cpu') ? { cpu: limits } : { memory: limits }
}

const value = '(?:[0-9]+[bkmgBKMG]{1,2}|[0-9.]{1,5}m?)'
const form = new RegExp(`^([a-z0-9]+(?:-[a-z0-9]+)*)=(${value}(?:/${value})?)$`)

export function parseLimits(words: readonly string[]): Record<string, string> {
  const limits: Record<string, string> = Object.create(null)
  for (const word of words) {
    const [, type, limit] = form.exec(word) ?? []
    if (type === undefined)
      throw new Fault(
        `${word} doesn't fit format type=#unit or type=# or type=#/#\nExamples: web=2G worker=500M db=1G/2G`,
      )
    limits[type] = limit!
  }
  return limits
}

export const commands: Commands = { list, set, unset }
