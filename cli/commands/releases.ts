// Releases: what ran when, and how to go back.

import { appOption, type Command, type Commands, jsonOption, limitOption } from '../command.ts'
import { Fault } from '../fault.ts'
import { labelLines, shareText } from '../output/aligned.ts'
import { pathOf } from './app-records.ts'

interface Release {
  readonly version: number
  readonly created: string
  readonly updated: string
  readonly summary: string
  readonly owner: string
  readonly config: string
  readonly build: string | null
  readonly uuid: string
}

const list: Command = {
  about: 'Lists release history for an application.',
  options: [appOption, limitOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const app = await context.app(args)
    const releases = await context.page<Release>(`${pathOf(app)}/releases/`, args)
    if (args.flag('json')) return output.json(releases)
    output.line(`=== ${app} Releases${shareText(releases.results.length, releases.count)}`)
    for (const { version, created, summary } of releases.results) output.line(`v${version}\t${created}\t${summary}`)
  },
}

const info: Command = {
  about: 'Prints info about a particular release.',
  positionals: [{ name: '<version>', count: 'one', help: "the release of the application, such as 'v1'" }],
  options: [appOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const version = versionOf(args.at(0))
    const app = await context.app(args)
    const release = await (await context.client()).get<Release>(`${pathOf(app)}/releases/v${version}/`)
    if (args.flag('json')) return output.json(release)
    output.line(`=== ${app} Release v${version}`)
    output.lines(
      labelLines(
        [
          ...(release.build ? [['build:', release.build] as const] : []),
          ['config:', release.config],
          ['owner:', release.owner],
          ['created:', release.created],
          ['summary:', release.summary],
          ['updated:', release.updated],
          ['uuid:', release.uuid],
        ],
        10,
      ),
    )
  },
}

const rollback: Command = {
  about: 'Rolls back to a previous application release.',
  positionals: [
    { name: '<version>', count: 'optional', help: "the release of the application, such as 'v1'; else the last one." },
  ],
  options: [appOption],
  async run(context, args) {
    const { output } = context
    const version = args.at(0) === '' ? null : versionOf(args.at(0))
    const app = await context.app(args)
    const client = await context.client()
    output.print(version === null ? 'Rolling back one release... ' : `Rolling back to v${version}... `)
    const path = `${pathOf(app)}/releases/rollback/`
    const made = await output.progress(
      client.post<{ version: number }>(path, version === null ? undefined : { version }),
    )
    output.line(`done, v${made.version}`)
  },
}

/** `v3` or `3`. */
export function versionOf(text: string): number {
  const [, digits] = /^v?([0-9]{1,9})$/.exec(text) ?? []
  if (digits === undefined) throw new Fault(`${JSON.stringify(text)} is not a version; it looks like v3`)
  return Number(digits)
}

export const commands: Commands = { list, info, rollback }
