// Processes: listed, scaled, restarted.

import { jsonOf, segment } from '../client.ts'
import { appOption, type Command, type Commands, jsonOption } from '../command.ts'
import type { Context } from '../context.ts'
import { Fault } from '../fault.ts'
import { type Pod, pathOf } from './app-records.ts'
import { processLines } from './processes.ts'

/** Pods that are asked for: more than an app has. */
const podLimit = 1000

const list: Command = {
  about: 'Lists processes servicing an application.\n\nEach has its state, its release and its age.',
  options: [appOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const pods = await (await context.client()).page<Pod>(`${pathOf(app)}/pods/`, podLimit)
    if (args.flag('json')) return output.json(pods)
    output.lines(processLines(output, app, pods.results, context.around.now()))
  },
}

const restart: Command = {
  about: 'Restart an application, a process type or a specific process.',
  positionals: [
    { name: '<type>', count: 'optional', help: "a process type such as 'web', or the name of one process." },
  ],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const client = await context.client()
    const path = `${pathOf(app)}/pods${restartPath(args.at(0), app)}`
    const { seconds, result } = await timed(context, 'Restarting', client.call('POST', path))
    const pods = jsonOf(result.text)
    if (!Array.isArray(pods)) throw new Fault('The answer is not that of a Deis controller')
    if (pods.length === 0) {
      output.line('Could not find any processes to restart')
      return
    }
    output.line(`done in ${seconds}s`)
    output.lines(processLines(output, app, pods as Pod[]))
  },
}

/** What follows `pods`. A name of a process holds its type; controllers look at the name when there is one. */
export function restartPath(target: string, app: string): string {
  if (target === '') return '/restart/'
  if (!target.includes('-')) return `/${segment(target)}/restart/`
  const rest = target.replace(`${app}-`, '')
  const [first = '', second = ''] = rest.split('-')
  const type = /[0-9]{8,10}-[a-z0-9]{5}$/.test(rest) ? first : second
  return `/${segment(type)}/${segment(target)}/restart/`
}

const scale: Command = {
  about: "Scales an application's processes by type.\n\nExample: deis scale web=4 worker=2",
  positionals: [
    {
      name: '<type>=<num>',
      count: 'many',
      help: "the process name as defined in your Procfile, such as 'web' or 'worker', and how many of it.",
    },
  ],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const targets = parseTargets(args.from(0))
    const client = await context.client()
    const { seconds } = await timed(context, 'Scaling', client.call('POST', `${pathOf(app)}/scale/`, targets))
    output.line(`done in ${seconds}s`)
    const pods = await client.page<Pod>(`${pathOf(app)}/pods/`, podLimit)
    output.lines(processLines(output, app, pods.results))
  },
}

export function parseTargets(words: readonly string[]): Record<string, number> {
  const targets: Record<string, number> = {}
  for (const word of words) {
    const [, type, count] = /^([a-z0-9]+(?:-[a-z0-9]+)*)=([0-9]+)$/.exec(word) ?? []
    if (type === undefined) throw new Fault(`'${word}' does not match the pattern 'type=num', ex: web=2`)
    targets[type] = Number(count)
  }
  return targets
}

async function timed<T>(
  { output, around }: Context,
  what: string,
  work: Promise<T>,
): Promise<{ readonly seconds: number; readonly result: T }> {
  const { DEIS_DRINK_OF_CHOICE: drink = '' } = around.env
  const start = around.now()
  output.line(`${what} processes... but first, ${drink === '' ? 'coffee' : drink}!`)
  const result = await output.progress(work)
  return { seconds: Math.floor((around.now() - start) / 1000), result }
}

export const commands: Commands = { list, restart, scale }
