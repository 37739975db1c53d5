// Users of the platform.

import { type Command, type Commands, jsonOption, limitOption } from '../command.ts'
import { shareText } from '../output/aligned.ts'

interface User {
  readonly username: string
  readonly is_superuser: boolean
}

const list: Command = {
  about: 'Lists all registered users.\n\nRequires admin privileges.',
  options: [limitOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const users = await context.page<User>('/users/', args)
    if (args.flag('json')) return output.json(users)
    output.line(`=== Users (*=admin)${shareText(users.results.length, users.count)}`)
    for (const { username, is_superuser } of users.results) output.line(`${is_superuser ? '*' : ''}${username}`)
  },
}

export const commands: Commands = { list }
