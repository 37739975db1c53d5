// `/v2/apps/` and what belongs to an app as a whole: transfer, removal, logs, one-off commands, events.

import { z } from 'zod'
import { parseAppId, suggestAppId } from '../domain/app-name.ts'
import { missing, Refusal } from '../domain/refusal.ts'
import type { AppEvents } from '../reconcile/app-events.ts'
import type { AppLog } from '../reconcile/app-log.ts'
import type { AppLives } from '../reconcile/apps.ts'
import { type Logs, logSources, type WantedLines } from '../reconcile/logs.ts'
import type { Processes } from '../reconcile/processes.ts'
import type { Store } from '../store/store.ts'
import type { AppAccess, AppCaller } from './app-access.ts'
import type { Authentication } from './authentication.ts'
import { rawField, textField } from './fields.ts'
import type { LogStreams } from './log-streams.ts'
import { pageAnswer, pageShape } from './page.ts'
import {
  type Answer,
  type Call,
  type Caller,
  created,
  noContent,
  ok,
  operation,
  type Resource,
  resource,
  text,
} from './resource.ts'
import { appShape, showApp } from './shapes.ts'

/** Names that are tried before giving up on a free one. */
const suggestions = 10
const defaultLogLines = 100
const mostLogLines = 10_000
const maxCommand = 64 * 1024
const outputIsCut = 'the output is longer than 1 MB, the rest of it was left out'

export interface AppsOptions {
  readonly store: Store
  readonly authentication: Authentication
  readonly access: AppAccess
  readonly lives: AppLives
  readonly processes: Processes
  readonly logs: Logs
  readonly logStreams: LogStreams
  readonly events: AppEvents
  readonly appLog: AppLog
  readonly reservedNames: ReadonlySet<string>
}

export function apps(options: AppsOptions): readonly Resource[] {
  const { store, authentication, access, lives, processes, logs, logStreams, events, appLog, reservedNames } = options

  const freeName = async () => {
    for (let attempt = 0; attempt < suggestions; attempt++) {
      const id = suggestAppId(Math.random, attempt)
      if (!reservedNames.has(id) && (await store.apps.find(id)) === null) return id
    }
    throw new Error('no free name was found for an app')
  }

  const list = operation({
    summary: 'The apps that the caller may use.',
    paged: true,
    answers: { 200: pageShape(appShape) },
    handle: ({ user }: Caller, call) =>
      pageAnswer(call, page => store.apps.list(user.isSuperuser ? null : user.username, page), showApp),
  })

  const create = operation({
    summary: 'Creates an app.',
    body: z.object({ id: rawField('Chosen by the server when absent').optional() }),
    answers: { 201: appShape },
    handle: async ({ user }: Caller, _call, body) => {
      const id = body.id === undefined || body.id === null ? await freeName() : parseAppId(body.id, reservedNames)
      const app = await lives.create(id, user.username)
      appLog.audit({ who: user.username, what: 'app.create', app: id })
      return created(showApp(app))
    },
  })

  const transfer = operation({
    summary: 'Hands an app to another owner.',
    body: z.object({ owner: textField() }),
    answers: { 200: null },
    handle: async (caller: AppCaller, _call, { owner }) => {
      const { app, user } = caller
      const target = await store.users.find(owner)
      if (target === null) throw missing('User')
      await store.transaction(async rows => {
        if ((await rows.apps.lockRow(app.id)) === null) throw missing('App')
        await rows.apps.transfer(app.id, target.username)
      })
      appLog.rightsChanged(app.id)
      appLog.line(app.id, `${user.username} transferred the app to ${target.username}`)
      appLog.audit({ who: user.username, what: 'app.transfer', app: app.id, details: { owner: target.username } })
      return ok()
    },
  })

  const destroy = operation({
    summary: 'Removes an app with everything that is of it.',
    answers: { 204: null },
    handle: async ({ app, user }: AppCaller) => {
      await lives.destroy(app.id)
      appLog.audit({ who: user.username, what: 'app.destroy', app: app.id })
      return noContent
    },
  })

  /** Until the client goes, the logger ends it, or the caller may not use this app any more. */
  const followLogs = async ({ app, user }: AppCaller, call: Call, wanted: WantedLines): Promise<Answer> => {
    const isAllowed = async (): Promise<boolean> => (await access.user.admit(call)).app.uuid === app.uuid
    const place = logStreams.enter(app.id, user.username, isAllowed)
    const end = new AbortController()
    const over = AbortSignal.any([place.signal, call.gone, end.signal])
    const leave = (): void => {
      place[Symbol.dispose]()
      end.abort()
    }
    try {
      const found = await logs.follow(app.id, wanted, over)
      if (found !== null) {
        const chunks = untilOver(found, over, leave)
        return { kind: 'stream', chunks, end: () => end.abort() }
      }
    } catch (error) {
      leave()
      throw error
    }
    leave()
    return noContent
  }

  const readLogs = operation({
    summary: 'The last lines of the log of the app, and those to come.',
    query: {
      log_lines: 'How many, 100 when absent; with follow 0 is none of the last',
      follow: {
        description: 'Whether the answer goes on with each line as it comes',
        schema: { type: 'string', enum: ['true', 'false'] },
      },
      source: {
        description: 'Who wrote them; the app and the controller when absent',
        schema: { type: 'string', enum: [...logSources] },
      },
    },
    answers: { 200: 'text/plain', 204: null, 500: 'text/plain' },
    handle: async (caller: AppCaller, call) => {
      const { app } = caller
      const wanted = wantedLines(call)
      try {
        if (call.query.follow === 'true' && call.method !== 'HEAD') return await followLogs(caller, call, wanted)
        const found = await logs.tail(app.id, wanted)
        return found === null || found === '' ? noContent : text(found)
      } catch (error) {
        if (error instanceof Refusal) throw error
        return text(`Error accessing logs for ${app.id}`, 500)
      }
    },
  })

  const run = operation({
    summary: 'Runs a command in a process of its own, to its end.',
    body: z.object({ command: textField({ most: maxCommand }).optional() }),
    answers: { 200: z.strictObject({ exit_code: z.int(), output: z.string() }) },
    handle: async ({ app, user }: AppCaller, _call, { command }) => {
      if (command === undefined) throw new Refusal('illogical', 'command is a required field')
      const { exitCode, output, isCut } = await processes.run(app.id, command, user.username)
      // For clients that do not show what an answer says beside its body.
      if (isCut) appLog.line(app.id, `run: ${outputIsCut}`, 'WARNING')
      return ok({ exit_code: exitCode, output }, isCut ? outputIsCut : undefined)
    },
  })

  const follow = operation({
    summary: 'What happens to the app, as it happens: steps of deploys and lines of the controller.',
    answers: { 200: 'text/event-stream' },
    handle: async ({ app }: AppCaller, call) => {
      if (!events.mayFollow(app.id))
        throw new Refusal('too-many', 'Too many follow this app already', { retryAfter: 10 })
      return { kind: 'events', events: signal => events.follow(app.id, call.lastEventId, signal) }
    },
  })

  return [
    resource('/v2/apps', authentication.anyUser, { GET: list, POST: create }),
    resource('/v2/apps/:id', access.ownerToPost, {
      GET: operation({
        summary: 'One app.',
        answers: { 200: appShape },
        handle: async ({ app }: AppCaller) => ok(showApp(app)),
      }),
      POST: transfer,
      DELETE: destroy,
    }),
    resource('/v2/apps/:id/logs', access.user, { GET: readLogs }),
    resource('/v2/apps/:id/run', access.user, { POST: run }),
    resource('/v2/apps/:id/events', access.user, { GET: follow }),
  ]
}

function wantedLines({ query }: Call): WantedLines {
  const asked = Number(query.log_lines ?? defaultLogLines)
  // Who follows may want new lines alone; elsewhere 0 is junk, as ever.
  const isNewOnly = query.follow === 'true' && query.log_lines === '0'
  const isCount = Number.isInteger(asked) && asked > 0
  const lines = isNewOnly ? 0 : isCount ? Math.min(asked, mostLogLines) : defaultLogLines
  if (query.source === undefined) return { lines, source: null }
  const source = logSources.find(one => one === query.source)
  if (source === undefined) throw new Refusal('illogical', `source must be ${logSources.join(', ')}`)
  return { lines, source }
}

/** Ends in an orderly way once `over` has aborted; what breaks before is thrown. */
async function* untilOver(
  chunks: AsyncIterable<Uint8Array>,
  over: AbortSignal,
  leave: () => void,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* chunks
  } catch (error) {
    if (!over.aborted) throw error
  } finally {
    leave()
  }
}
