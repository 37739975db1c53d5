// The environment of apps.

import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { compareText } from '#kit/compare-text.ts'
import { appOption, type Command, type Commands, jsonOption } from '../command.ts'
import type { Context } from '../context.ts'
import { Fault, reasonOf } from '../fault.ts'
import { keyValueLines, valueText } from '../output/aligned.ts'
import { changeConfig, configOf, showConfig } from './config-change.ts'
import { parseEnvironmentFile, parseVariables, variableLines } from './environment-file.ts'
import { removals } from './pairs.ts'
import { sshKeyOf } from './private-key.ts'

type Values = Readonly<Record<string, unknown>>

const list: Command = {
  about: 'Lists environment variables for an application.',
  options: [
    { name: 'oneline', help: 'print output on one line.' },
    { name: 'diff', help: "print output as a line for each variable: to compare, or to keep as '.env'." },
    appOption,
    jsonOption,
  ],
  run: (context, args) =>
    showConfig(context, args, ({ values }, app) => {
      if (args.flag('oneline')) return onLine(values)
      return args.flag('diff') ? variableLines(values) : configLines(app, values)
    }),
}

/** For people: a value may have spaces and line ends in it. */
function onLine(values: Values): string[] {
  const pairs = Object.keys(values)
    .sort(compareText)
    .map(key => `${key}=${valueText(values[key])}`)
  return pairs.length === 0 ? [] : [pairs.join(' ')]
}

function configLines(app: string, values: Values): string[] {
  return [`=== ${app} Config`, ...keyValueLines(values, 6)]
}

const set: Command = {
  about: 'Sets environment variables for an application.',
  positionals: [
    {
      name: '<var>=<value>',
      count: 'many',
      help: "the uniquely identifiable name of the variable and its value, such as 'MODE=test'",
    },
  ],
  options: [appOption],
  run: async (context, args) => setVariables(context, await context.app(args), parseVariables(args.from(0))),
}

async function setVariables(context: Context, app: string, values: Record<string, string>): Promise<void> {
  if (Object.hasOwn(values, 'SSH_KEY')) values.SSH_KEY = await sshKeyOf(values.SSH_KEY!, context.around.directory)
  if (Object.keys(values).some(key => key.includes('HEALTHCHECK_')))
    context.output.lines([
      "Hey there! We've noticed that you're using 'deis config:set HEALTHCHECK_URL'",
      'to set up healthchecks. This functionality has been deprecated. In the future, please use',
      "'deis healthchecks' to set up application health checks. Thanks!",
    ])
  await changeConfig(context, app, 'Creating config', { values }, config => configLines(app, config.values))
}

const unset: Command = {
  about: 'Unsets an environment variable for an application.',
  positionals: [{ name: '<key>', count: 'many', help: "the variable to remove from the application's environment." }],
  options: [appOption],
  async run(context, args) {
    const app = await context.app(args)
    const values = removals(args.from(0))
    await changeConfig(context, app, 'Removing config', { values }, config => configLines(app, config.values))
  },
}

const pull: Command = {
  about:
    'Extract all environment variables from an application for local use.\n\n' +
    "They are written to '.env' in this directory; where stdout is no terminal, they are printed.",
  options: [
    appOption,
    { name: 'interactive', short: 'i', help: 'Prompts for each value to be overwritten' },
    { name: 'overwrite', short: 'o', help: 'Allows you to have the pull overwrite keys in .env' },
  ],
  async run(context, args) {
    const { output, around } = context
    const app = await context.app(args)
    const { values } = await configOf(context, app)
    if (!output.isTerminal) {
      output.lines(variableLines(values))
      return
    }
    const file = join(around.directory, '.env')
    const isThere = await stat(file).then(
      () => true,
      () => false,
    )
    if (isThere && !args.flag('overwrite') && !args.flag('interactive'))
      throw new Fault('.env already exists, pass -o to overwrite')
    const kept = isThere && args.flag('interactive') ? await merged(context, file, values) : values
    await writeAside(
      file,
      variableLines(kept)
        .map(line => `${line}\n`)
        .join(''),
    )
  },
}

/** What the file holds, and the app's values that are new or wanted instead. */
async function merged({ prompt }: Context, file: string, values: Values): Promise<Values> {
  const local: Record<string, unknown> = parseEnvironmentFile(await readText(file))
  for (const [key, value] of Object.entries(values)) {
    if (Object.hasOwn(local, key) && local[key] !== value) {
      const answer = await prompt.ask(`${key}: overwrite ${local[key]} with ${value}? (y/N) `)
      if (answer.toLowerCase() !== 'y') continue
    }
    local[key] = value
  }
  return local
}

/** Values are secrets: only the owner may read them. */
async function writeAside(file: string, text: string): Promise<void> {
  const aside = `${file}.${process.pid}`
  try {
    await writeFile(aside, text, { mode: 0o600, flag: 'wx' })
    await rename(aside, file)
  } catch (error) {
    await rm(aside, { force: true }).catch(() => {})
    throw new Fault(`${file} cannot be written (${reasonOf(error)})`)
  }
}

const push: Command = {
  about:
    'Sets environment variables for an application.\n\nThe variables are read from a file, or from what is piped in.',
  options: [
    appOption,
    { name: 'path', short: 'p', value: 'path', absent: '.env', help: 'a path leading to an environment file.' },
  ],
  async run(context, args) {
    const app = await context.app(args)
    const file = resolve(context.around.directory, args.text('path')!)
    const fromFile = context.prompt.isTerminal || args.isGiven('path')
    const text = fromFile ? await readText(file) : await context.prompt.all()
    await setVariables(context, app, parseEnvironmentFile(text))
  },
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Fault(`${file} cannot be read (${reasonOf(error)})`)
  }
}

export const commands: Commands = { list, set, unset, pull, push }
