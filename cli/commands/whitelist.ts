// Addresses that may use an app.

import { appOption, type Command, type Commands, jsonOption } from '../command.ts'
import { pathOf } from './app-records.ts'

const addressesArgument = {
  name: '<addresses>',
  count: 'one',
  help: "comma-delimited list of addresses and networks, such as '1.2.3.4,10.0.0.0/8'",
} as const

const add: Command = {
  about: 'Adds addresses to an application whitelist.',
  positionals: [addressesArgument],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const client = await context.client()
    const addresses = args.at(0)
    output.line(`Adding ${addresses} to ${app} whitelist...`)
    await output.progress(client.post(`${pathOf(app)}/whitelist/`, { addresses: addresses.split(',') }))
    output.line('done')
  },
}

const list: Command = {
  about: 'Lists whitelisted addresses for an application.',
  options: [appOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const answer = await (await context.client()).get<{ addresses: readonly string[] }>(`${pathOf(app)}/whitelist/`)
    if (args.flag('json')) return output.json(answer)
    output.line(`=== ${app} Whitelisted Addresses`)
    output.lines(answer.addresses ?? [])
  },
}

const remove: Command = {
  about: 'Removes addresses from an application whitelist.',
  positionals: [addressesArgument],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const client = await context.client()
    const addresses = args.at(0)
    output.line(`Removing ${addresses} from ${app} whitelist...`)
    await output.progress(client.call('DELETE', `${pathOf(app)}/whitelist/`, { addresses: addresses.split(',') }))
    output.line('done')
  },
}

export const commands: Commands = { add, list, remove }
