// What all commands share that change the config of an app: post a part of it, and show what it is then.

import type { Arguments } from '../arguments.ts'
import type { Context } from '../context.ts'
import { type Config, pathOf } from './app-records.ts'

/** The config as it is now. */
export async function configOf(context: Context, app: string): Promise<Config> {
  return (await context.client()).get<Config>(`${pathOf(app)}/config/`)
}

/** Posts the part, telling `doing... done`, and shows what `show` makes of the config that there is then. */
export async function changeConfig(
  context: Context,
  app: string,
  doing: string,
  part: unknown,
  show: (config: Config) => readonly string[],
): Promise<void> {
  const { output } = context
  const client = await context.client()
  output.print(`${doing}... `)
  const changed = await output.progress(client.post<Config>(`${pathOf(app)}/config/`, part))
  const release = changed.values?.WORKFLOW_RELEASE
  output.line(release === undefined ? 'done' : `done, ${release}`)
  output.line()
  output.lines(show(await configOf(context, app)))
}

/** For `--json`: the whole config; else the lines. */
export async function showConfig(
  context: Context,
  args: Arguments,
  show: (config: Config, app: string) => readonly string[],
): Promise<void> {
  const app = await context.app(args)
  const config = await configOf(context, app)
  if (args.flag('json')) context.output.json(config)
  else context.output.lines(show(config, app))
}
