// Domains of apps.

import { type Page, segment } from '../client.ts'
import { appOption, type Command, type Commands, jsonOption, limitOption } from '../command.ts'
import { shareText } from '../output/aligned.ts'
import { type Domain, pathOf } from './app-records.ts'

const domainArgument = {
  name: '<domain>',
  count: 'one',
  help: "the domain name, such as 'domain.deisapp.com'",
} as const

const add: Command = {
  about: 'Adds a domain to an application.',
  positionals: [domainArgument],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const client = await context.client()
    const domain = args.at(0)
    output.print(`Adding ${domain} to ${app}... `)
    await output.progress(client.post(`${pathOf(app)}/domains/`, { domain }))
    output.line('done')
  },
}

const list: Command = {
  about: 'Lists domains bound to an application.',
  options: [appOption, limitOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const domains = await context.page<Domain>(`${pathOf(app)}/domains/`, args)
    if (args.flag('json')) output.json(domains)
    else output.lines(domainLines(app, domains))
  },
}

export function domainLines(app: string, { results, count }: Page<Domain>): string[] {
  return [`=== ${app} Domains${shareText(results.length, count)}`, ...results.map(({ domain }) => domain)]
}

const remove: Command = {
  about: 'Removes a domain for an application.',
  positionals: [domainArgument],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const client = await context.client()
    const domain = args.at(0)
    output.print(`Removing ${domain} from ${app}... `)
    await output.progress(client.call('DELETE', `${pathOf(app)}/domains/${segment(domain)}`))
    output.line('done')
  },
}

export const commands: Commands = { add, list, remove }
