// Builds: what was pushed, and images brought from elsewhere.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { appOption, type Command, type Commands, jsonOption, limitOption } from '../command.ts'
import { Fault, reasonOf } from '../fault.ts'
import { shareText } from '../output/aligned.ts'
import { pathOf } from './app-records.ts'

interface Build {
  readonly uuid: string
  readonly created: string
}

const list: Command = {
  about: 'Lists build history for an application.',
  options: [appOption, limitOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const builds = await context.page<Build>(`${pathOf(app)}/builds/`, args)
    if (args.flag('json')) return output.json(builds)
    output.line(`=== ${app} Builds${shareText(builds.results.length, builds.count)}`)
    for (const { uuid, created } of builds.results) output.line(`${uuid} ${created}`)
  },
}

const create: Command = {
  about:
    'Creates a new build of an application. Imports an <image> and deploys it to Deis as a new release.\n\n' +
    'If a Procfile is present in the current directory, it will be used as the default process types.',
  positionals: [
    {
      name: '<image>',
      count: 'one',
      help: 'a fully-qualified docker image, either from Docker Hub or another registry.',
    },
  ],
  options: [
    appOption,
    {
      name: 'procfile',
      short: 'p',
      value: 'procfile',
      help: 'a YAML string used to supply a Procfile to the application.',
    },
  ],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const procfile = await parseProcfile(args.text('procfile') ?? (await procfileIn(context.around.directory)))
    const client = await context.client()
    const body = { image: args.at(0), ...(Object.keys(procfile).length === 0 ? {} : { procfile }) }
    output.print('Creating build... ')
    await output.progress(client.post(`${pathOf(app)}/builds/`, body))
    output.line('done')
  },
}

async function procfileIn(directory: string): Promise<string> {
  try {
    return await readFile(join(directory, 'Procfile'), 'utf8')
  } catch (error) {
    if (['ENOENT', 'EISDIR'].includes(reasonOf(error))) return ''
    throw new Fault(`Procfile cannot be read (${reasonOf(error)})`)
  }
}

/** Throws a Fault for what is no YAML mapping of names to commands. */
export async function parseProcfile(text: string): Promise<Record<string, string>> {
  if (text.trim() === '') return {}
  const { parse } = await import('yaml')
  let types: unknown
  try {
    // An alias may stand for something that holds aliases, and so on: none is needed.
    types = parse(text, { maxAliasCount: 0 })
  } catch (error) {
    throw new Fault(`The Procfile is not valid YAML: ${(error as Error).message.split('\n', 1)[0]}`)
  }
  if (typeof types !== 'object' || types === null || Array.isArray(types))
    throw new Fault('The Procfile must be lines of the form <type>: <command>')
  const procfile: Record<string, string> = Object.create(null)
  for (const [type, command] of Object.entries(types)) {
    if (typeof command === 'object' && command !== null)
      throw new Fault(`The Procfile has no command for ${type}, but a list or mapping`)
    procfile[type] = String(command ?? '')
  }
  return procfile
}

export const commands: Commands = { list, create }
