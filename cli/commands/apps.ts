// Apps: made, listed, looked at, run in, given away, destroyed.

import { spawn } from 'node:child_process'
import type { Client } from '../client.ts'
import { appOption, type Command, type Commands, jsonOption, limitOption } from '../command.ts'
import type { Context } from '../context.ts'
import { appHostOf } from '../controller-url.ts'
import { Fault } from '../fault.ts'
import { labelLines, shareText } from '../output/aligned.ts'
import { type App, type Domain, type Pod, pathOf, type Settings } from './app-records.ts'
import { domainLines } from './domains.ts'
import { labelBlock } from './labels.ts'
import { type LogOptions, showLogs } from './logs.ts'
import { processLines } from './processes.ts'

const create: Command = {
  about: 'Creates a new application.\n\nIf no <id> is provided, one will be generated automatically.',
  positionals: [
    {
      name: '<id>',
      count: 'optional',
      help: 'a uniquely identifiable name for the application. No other app can already exist with this name.',
    },
  ],
  options: [
    { name: 'no-remote', help: "do not create a 'deis' git remote." },
    { name: 'buildpack', short: 'b', value: 'buildpack', help: 'a buildpack url to use for this app' },
    { name: 'remote', short: 'r', value: 'remote', absent: 'deis', help: 'name of remote to create.' },
  ],
  async run(context, args) {
    const { output } = context
    const client = await context.client()
    const id = args.at(0)
    output.print('Creating Application... ')
    const app = await output.progress(client.post<App>('/apps/', id === '' ? undefined : { id }))
    output.line(`done, created ${app.id}`)
    const buildpack = args.text('buildpack')
    if (buildpack !== null) await client.post(`${pathOf(app.id)}/config/`, { values: { BUILDPACK_URL: buildpack } })
    if (args.flag('no-remote')) {
      output.line(`If you want to add a git remote for this app later, use 'deis git:remote -a ${app.id}'`)
      return
    }
    const remote = args.text('remote')!
    try {
      await (await context.repository()).add(remote, app.id)
    } catch (error) {
      throw remoteFault(error, remote, app.id)
    }
    output.line(`Git remote ${remote} successfully created for app ${app.id}.`)
  },
}

function remoteFault(error: unknown, remote: string, app: string): unknown {
  if (!(error instanceof Fault)) return error
  const hints = error.message.includes('already exists')
    ? [`To overwrite this remote run:\ndeis git:remote --force --remote ${remote} --app ${app}`]
    : [`In the repository of the app run: deis git:remote --app ${app}`]
  return new Fault(error.message, {
    cause: error,
    hints: [`The app ${app} was created, its git remote was not.`, ...hints],
  })
}

const list: Command = {
  about: 'Lists applications visible to the current user.',
  options: [limitOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const apps = await context.page<App>('/apps/', args)
    if (args.flag('json')) return output.json(apps)
    output.line(`=== Apps${shareText(apps.results.length, apps.count)}`)
    for (const { id } of apps.results) output.line(id)
  },
}

const info: Command = {
  about: 'Prints info about the current application.',
  options: [appOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const name = await context.app(args)
    const client = await context.client()
    const path = pathOf(name)
    const app = await client.get<App>(`${path}/`)
    const host = await hostOf(client, name)
    const processes = await context.page<Pod>(`${path}/pods/`, args)
    const domains = await context.page<Domain>(`${path}/domains/`, args)
    const settings = await client.get<Settings>(`${path}/settings/`)
    if (args.flag('json')) return output.json({ app, processes, domains, settings })
    output.line(`=== ${app.id} Application`)
    output.lines(
      labelLines(
        [
          ['updated:', app.updated],
          ['uuid:', app.uuid],
          ['created:', app.created],
          ['url:', host ?? `No domain assigned to ${name}`],
          ['owner:', app.owner],
          ['id:', app.id],
        ],
        10,
      ),
    )
    output.line()
    output.lines(processLines(output, name, processes.results))
    output.line()
    output.lines(domainLines(name, domains))
    output.line()
    output.lines(labelBlock(name, settings.label ?? {}))
    output.line()
  },
}

/** Where the first domain of the app is; null when it has none. */
async function hostOf(client: Client, app: string): Promise<string | null> {
  const { results } = await client.page<Domain>(`${pathOf(app)}/domains/`, 1)
  const [first] = results
  return first === undefined ? null : appHostOf(client.controller, first.domain)
}

const open: Command = {
  about: 'Opens a URL to the application in the default browser.',
  options: [appOption],
  async run(context, args) {
    const app = await context.app(args)
    const host = await hostOf(await context.client(), app)
    if (host === null)
      throw new Fault(`No domain assigned to ${app}`, { hints: [`Give it one: deis domains:add <domain> -a ${app}`] })
    await openInBrowser(`http://${host}`, context)
  },
}

function openInBrowser(url: string, { around }: Context): Promise<void> {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open'
  const failed = (reason: string): Fault => new Fault(`${program} ${reason}`, { hints: [`Open it yourself: ${url}`] })
  const child = spawn(program, [url], { cwd: around.directory, env: around.env, stdio: 'ignore' })
  return new Promise((resolve, reject) => {
    child.once('error', error => reject(failed(`cannot be run: ${error.message}`)))
    child.once('exit', code => (code === 0 ? resolve() : reject(failed(`ended with status ${code}`))))
  })
}

const logs: Command = {
  about: 'Retrieves the most recent log events.',
  options: [
    appOption,
    {
      name: 'lines',
      short: 'n',
      value: 'lines',
      help: 'the number of lines to display; with --follow 0 is none but those to come',
    },
    { name: 'follow', short: 'f', help: 'go on with what comes, until Ctrl-C.' },
    { name: 'router', help: 'the requests that the router passed on, instead of what the app says.' },
  ],
  async run(context, args) {
    const app = await context.app(args)
    const lines = args.number('lines')
    if (lines !== null && lines < 0) throw new Fault('--lines must not be negative')
    const options: LogOptions = { lines, follow: args.flag('follow'), source: args.flag('router') ? 'router' : null }
    await showLogs(context, app, options)
  },
}

const run: Command = {
  about: 'Runs a command inside an ephemeral app container.',
  positionals: [
    {
      name: '[--] <command>',
      count: 'many',
      help: 'the shell command to run inside the container; its own options follow --',
    },
  ],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const command = args.from(0).join(' ')
    output.line(`Running '${command}'...`)
    const client = await context.client()
    const ran = await client.post<{ exit_code: number; output: string }>(`${pathOf(app)}/run`, { command })
    if (!Number.isInteger(ran.exit_code) || typeof ran.output !== 'string')
      throw new Fault('The answer is not that of a Deis controller')
    if (ran.exit_code === 0) output.printSpeech(ran.output)
    else output.printErrorSpeech(ran.output)
    context.leave(ran.exit_code)
  },
}

const destroy: Command = {
  about: 'Destroys an application.',
  options: [
    appOption,
    {
      name: 'confirm',
      value: 'app',
      help: 'skips the prompt for the application name. <app> is the uniquely identifiable name for the application.',
    },
  ],
  async run(context, args) {
    const { output, around } = context
    const client = await context.client()
    const app = await context.app(args)
    const confirmed = args.text('confirm') ?? (await confirmation(context, app))
    if (confirmed !== app) throw new Fault(`App ${app} does not match confirm ${confirmed}, aborting.`)
    const start = around.now()
    output.line(`Destroying ${app}...`)
    await client.call('DELETE', `${pathOf(app)}/`)
    output.line(`done in ${Math.floor((around.now() - start) / 1000)}s`)
    if (args.isGiven('app')) return
    const repository = await context.repository()
    // Outside of a repository there is nothing to remove.
    const isRepository = await repository.remotes().then(
      () => true,
      () => false,
    )
    if (!isRepository) return
    await repository.removeAll(app)
    output.line(`Git remotes for app ${app} removed.`)
  },
}

async function confirmation({ prompt }: Context, app: string): Promise<string> {
  return prompt.ask(
    ` !    WARNING: Potentially Destructive Action\n` +
      ` !    This command will destroy the application: ${app}\n` +
      ` !    To proceed, type "${app}" or re-run this command with --confirm=${app}\n\n> `,
  )
}

const transfer: Command = {
  about: 'Transfer app ownership to another user.',
  positionals: [{ name: '<username>', count: 'one', help: 'the user that the app will be transferred to.' }],
  options: [appOption],
  async run(context, args) {
    const app = await context.app(args)
    const client = await context.client()
    const owner = args.at(0)
    context.output.print(`Transferring ${app} to ${owner}... `)
    await context.output.progress(client.call('POST', `${pathOf(app)}/`, { owner }))
    context.output.line('done')
  },
}

export const commands: Commands = { create, list, info, open, logs, run, destroy, transfer }
