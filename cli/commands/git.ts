// Git remotes of apps.

import { appOption, type Command, type Commands } from '../command.ts'
import { Fault } from '../fault.ts'

const remote: Command = {
  about: 'Adds git remote of application to repository.',
  options: [
    appOption,
    { name: 'remote', short: 'r', value: 'remote', absent: 'deis', help: 'name of remote to create.' },
    { name: 'force', short: 'f', help: 'overwrite remote of the given name if it already exists.' },
  ],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const name = args.text('remote')!
    const repository = await context.repository()
    const wanted = await repository.urlOf(app)
    const existing = (await repository.remotes()).find(one => one.name === name)
    if (existing?.url === wanted) {
      output.line(`Remote ${name} already exists and is correctly configured for app ${app}.`)
      return
    }
    if (existing !== undefined) {
      if (!args.flag('force'))
        throw new Fault(
          `Remote ${name} already exists, please run 'deis git:remote -f' to overwrite\n` +
            `Existing remote URL: ${existing.url}\nWhen forced, will overwrite with: ${wanted}`,
        )
      output.line(`Deleting git remote ${name}.`)
      await repository.remove(name)
    }
    await repository.add(name, app)
    output.line(`Git remote ${name} successfully created for app ${app}.`)
  },
}

const remove: Command = {
  about: 'Removes all git remotes of an application from the repository.',
  options: [appOption],
  async run(context, args) {
    const app = await context.app(args)
    await (await context.repository()).removeAll(app)
    context.output.line(`Git remotes for app ${app} removed.`)
  },
}

export const commands: Commands = { remote, remove }
