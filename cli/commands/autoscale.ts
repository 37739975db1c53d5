// How many processes of a type there are, by their load.

import { compareText } from '#kit/compare-text.ts'
import type { Arguments } from '../arguments.ts'
import { appOption, type Command, type Commands } from '../command.ts'
import { Fault } from '../fault.ts'
import { pathOf, type Settings } from './app-records.ts'
import { look } from './setting.ts'

const list = look<Settings>('Prints a list of autoscale options for the application.', 'settings', autoscaleLines)

function autoscaleLines({ autoscale }: Settings, app: string): string[] {
  const title = [`=== ${app} Autoscale`, '']
  if (autoscale === undefined || autoscale === null) return [...title, 'No autoscale rules found.']
  const types = Object.keys(autoscale).sort(compareText)
  return types.reduce((lines, type) => {
    const { min, max, cpu_percent } = autoscale[type] ?? { min: 0, max: 0, cpu_percent: 0 }
    lines.push(`--- ${type}:`, `Min Replicas: ${min}`, `Max Replicas: ${max}`, `CPU: ${cpu_percent}%`)
    return lines
  }, title)
}

const typeArgument = {
  name: '<type>',
  count: 'one',
  help: "the process type, such as 'web'",
} as const

const set: Command = {
  about: 'Set autoscale option per process type for an app.',
  positionals: [typeArgument],
  options: [
    appOption,
    { name: 'min', value: 'min', help: 'minimum replicas (required).' },
    { name: 'max', value: 'max', help: 'maximum replicas (required).' },
    { name: 'cpu-percent', value: 'cpu', help: 'target CPU utilization, percent (required).' },
  ],
  async run(context, args) {
    const { output } = context
    const rule = { min: required(args, 'min'), max: required(args, 'max'), cpu_percent: required(args, 'cpu-percent') }
    const app = await context.app(args)
    const client = await context.client()
    const type = args.at(0)
    output.print(`Applying autoscale settings for process type ${type} on ${app}... `)
    await output.progress(client.post(`${pathOf(app)}/settings/`, { autoscale: { [type]: rule } }))
    output.line('done')
  },
}

function required(args: Arguments, option: string): number {
  const number = args.number(option)
  if (number === null) throw new Fault(`autoscale:set requires --${option}`)
  return number
}

const unset: Command = {
  about: 'Unset autoscale per process type for an app.',
  positionals: [typeArgument],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const client = await context.client()
    const type = args.at(0)
    output.print(`Removing autoscale for process type ${type} on ${app}... `)
    await output.progress(client.post(`${pathOf(app)}/settings/`, { autoscale: { [type]: null } }))
    output.line('done')
  },
}

export const commands: Commands = { list, set, unset }
