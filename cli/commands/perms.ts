// Who may work on an app, and who administers the platform.

import type { Arguments } from '../arguments.ts'
import { segment } from '../client.ts'
import { appOption, type Command, type Commands, jsonOption, limitOption } from '../command.ts'
import type { Context } from '../context.ts'
import { shareText } from '../output/aligned.ts'
import { pathOf } from './app-records.ts'

const admin = { name: 'admin', help: 'the administrators of the platform, instead of an app.' } as const
const userArgument = { name: '<username>', count: 'one', help: 'the name of the user.' } as const

const list: Command = {
  about: 'Lists all users with permission to use an app, or lists all users with system administrator privileges.',
  options: [appOption, admin, limitOption, jsonOption],
  async run(context, args) {
    const { output } = context
    if (args.flag('admin')) {
      const admins = await context.page<{ username: string }>('/admin/perms/', args)
      if (args.flag('json')) return output.json(admins)
      output.line(`=== Administrators${shareText(admins.results.length, admins.count)}`)
      for (const { username } of admins.results) output.line(username)
      return
    }
    const app = await context.app(args)
    const perms = await (await context.client()).get<{ users: readonly string[] }>(`${pathOf(app)}/perms/`)
    if (args.flag('json')) return output.json(perms)
    output.line(`=== ${app}'s Users`)
    output.lines(perms.users ?? [])
  },
}

/** The collection, and how it is called. */
async function scope(context: Context, args: Arguments): Promise<{ readonly path: string; readonly name: string }> {
  if (args.flag('admin')) return { path: '/admin/perms/', name: 'system administrators' }
  const app = await context.app(args)
  return { path: `${pathOf(app)}/perms/`, name: `${app} collaborators` }
}

const create: Command = {
  about: 'Gives another user permission to use an app, or gives another user system administrator privileges.',
  positionals: [userArgument],
  options: [appOption, admin],
  async run(context, args) {
    const { output } = context
    const client = await context.client()
    const { path, name } = await scope(context, args)
    const username = args.at(0)
    output.print(`Adding ${username} to ${name}... `)
    await output.progress(client.call('POST', path, { username }))
    output.line('done')
  },
}

const remove: Command = {
  about: "Revokes another user's permission to use an app, or revokes another user's system administrator privileges.",
  positionals: [userArgument],
  options: [appOption, admin],
  async run(context, args) {
    const { output } = context
    const client = await context.client()
    const { path, name } = await scope(context, args)
    const username = args.at(0)
    output.print(`Removing ${username} from ${name}... `)
    await output.progress(client.call('DELETE', `${path}${segment(username)}`))
    output.line('done')
  },
}

export const commands: Commands = { list, create, delete: remove }
