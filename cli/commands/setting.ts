// What all commands share that look at one setting of an app, or switch it.

import { appOption, type Command, jsonOption } from '../command.ts'
import { pathOf } from './app-records.ts'

/** Under an app: `settings` or `tls`. */
type Resource = 'settings' | 'tls'

export function look<T>(
  about: string,
  resource: Resource,
  show: (answer: T, app: string) => readonly string[],
): Command {
  return {
    about,
    options: [appOption, jsonOption],
    async run(context, args) {
      const app = await context.app(args)
      const answer = await (await context.client()).get<T>(`${pathOf(app)}/${resource}/`)
      if (args.flag('json')) context.output.json(answer)
      else context.output.lines(show(answer, app))
    },
  }
}

/** `doing`: as `Enabling routing for`; the app follows. */
export function change(about: string, resource: Resource, doing: string, body: unknown): Command {
  return {
    about,
    options: [appOption],
    async run(context, args) {
      const { output } = context
      const app = await context.app(args)
      const client = await context.client()
      output.print(`${doing} ${app}... `)
      await output.progress(client.post(`${pathOf(app)}/${resource}/`, body))
      output.line('done')
    },
  }
}
