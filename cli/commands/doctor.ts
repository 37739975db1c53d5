// Looks at all that a push and a request need, and tells what to do about what is wrong.

import type { Arguments } from '../arguments.ts'
import { appOption, type Command, type Commands, jsonOption } from '../command.ts'
import type { Context } from '../context.ts'
import { adviceOf, checkController, checkKeys, checkProfile, checkToken, messageOf } from '../doctor/account.ts'
import { checkBuilder, checkDomains, checkProcesses, checkRemote } from '../doctor/app.ts'
import { type Check, fail, ok, warn } from '../doctor/check.ts'
import { AnswerFault } from '../fault.ts'
import type { Output } from '../output/output.ts'
import { type AppWithStructure, pathOf } from './app-records.ts'

const doctor: Command = {
  about:
    'Checks the profile, the controller, the token, SSH keys, the git remote of this directory, the builder,\n' +
    "and the app's processes, domains and certificates. Exit code 1 when a check fails.",
  options: [appOption, { ...jsonOption, help: 'print the checks as one JSON document.' }],
  async run(context, args) {
    const { output } = context
    const checks: Check[] = []
    const json = args.flag('json')
    for await (const check of examine(context, args)) {
      checks.push(check)
      if (!json) show(output, check)
    }
    const failed = checks.filter(({ state }) => state === 'fail').length
    if (json) output.json({ checks })
    else output.line(failed === 0 ? 'All that is needed is there.' : `${failed} of ${checks.length} checks failed.`)
    context.leave(failed === 0 ? 0 : 1)
  },
}

/** One by one: what comes later often needs what came before. */
async function* examine(context: Context, args: Arguments): AsyncGenerator<Check> {
  const { profilePath: path, around } = context
  try {
    yield await checkProfile(path, await context.profile())
  } catch (error) {
    yield fail('profile', messageOf(error), adviceOf(error, 'deis login <controller>'))
    return
  }
  const client = await context.client()
  const controller = await checkController(client)
  yield* controller
  const repository = await context.repository()
  if (controller.every(({ state }) => state !== 'fail')) {
    const token = await checkToken(client)
    yield token
    if (token.state === 'ok') {
      yield await checkKeys(client, context)
      yield* examineApp(context, args)
    }
  }
  yield await checkRemote(repository)
  yield await checkBuilder(repository, around.signal)
}

async function* examineApp(context: Context, args: Arguments): AsyncGenerator<Check> {
  const client = await context.client()
  const app = await context.app(args)
  let found: AppWithStructure
  try {
    found = await client.get<AppWithStructure>(`${pathOf(app)}/`)
  } catch (error) {
    if (!(error instanceof AnswerFault)) throw error
    const isNamed = args.isGiven('app') || (await (await context.repository()).app()) !== null
    if (isNamed) yield fail('app', `${app}: ${messageOf(error)}`, "'deis apps' lists those that you have access to")
    else yield warn('app', 'this directory has none', 'deis create, or name one with --app')
    return
  }
  yield ok('app', app)
  yield await checkProcesses(client, found)
  yield* await checkDomains(client, app, context.around.now())
}

const colours = { ok: 'green', warn: 'yellow', fail: 'red' } as const

function show(output: Output, { name, state, found, advice }: Check): void {
  const sign = output.paint(colours[state], state.padEnd(4))
  output.line(`${sign}  ${name}: ${found}${advice === null ? '' : ` -> ${advice}`}`)
}

export const commands: Commands = { '': doctor }
