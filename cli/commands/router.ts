// What the router does with a URL, and why.

import type { ExplainedObject, Explanation } from '#kit/explanation.ts'
import { type Command, type Commands, jsonOption } from '../command.ts'
import { dateText } from '../output/times.ts'

/**
 * The router's answer, as far as it is shown. Controllers leave out what the asker may not know, and routers of other
 * versions may say more or less: nothing is relied on.
 */
export type Explained = Lenient<Explanation>

type Lenient<T> = T extends readonly (infer Item)[]
  ? readonly Lenient<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]?: Lenient<T[Key]> }
    : T

const explain: Command = {
  about: 'Tells what the router does with a URL, and why: route, certificate, policies, endpoints, and what lost.',
  positionals: [
    { name: '<url>', count: 'one', help: "such as 'https://www.example.com/cart'; http when it has no scheme." },
  ],
  options: [jsonOption],
  async run(context, args) {
    const { output } = context
    const given = args.at(0)
    const url = /^[a-z]+:\/\//i.test(given) ? given : `http://${given}`
    const client = await context.client()
    const explained = await client.get<Explained>(`/router/explain?url=${encodeURIComponent(url)}`)
    if (args.flag('json')) output.json(explained)
    else output.lines(explainedLines(explained))
  },
}

export function explainedLines(explained: Explained): string[] {
  const { url = '', outcome, route, certificate, policies = [], upstream, others = [], problems = [] } = explained
  const lines = [`=== ${url}`]
  const status = outcome?.status == null ? '' : ` (${outcome.status})`
  const location = outcome?.location == null ? '' : ` -> ${outcome.location}`
  lines.push(`${outcome?.text ?? 'The router does not tell what becomes of it.'}${status}${location}`)
  const block = (title: string, rows: readonly string[]): void => {
    if (rows.length > 0) lines.push('', `--- ${title}`, ...rows)
  }
  if (route)
    block('Route', [
      `${route.host ?? ''}${path(route.path)} of the app ${route.app ?? 'unknown'}${of(route.object)}`,
      ...text(route.text),
    ])
  if (certificate)
    block('Certificate', [
      `${(certificate.names ?? []).join(', ') || 'without names'}, until ${dateText(certificate.expires)}`,
      ...text(certificate.text),
      ...(certificate.matches === false ? ['It is not for this host: clients complain.'] : []),
    ])
  block(
    'Policies',
    policies.map(({ kind = '', effect = '', text: said = '' }) => `${kind} ${effect}: ${said}`),
  )
  if (upstream)
    block('Endpoints', [
      `${upstream.ready ?? 0} of ${upstream.total ?? 0} ready${upstream.id === undefined ? '' : ` in ${upstream.id}`}`,
      ...(upstream.endpoints ?? []).map(
        ({ address = '', state = '', used = false }) => `${address} ${state}${used ? '' : ' (takes no requests now)'}`,
      ),
    ])
  const left = explained.othersLeftOut ?? 0
  block('Others that want it', [
    ...others.map(other => `${other.host ?? ''}${path(other.path)}${of(other.object)}: ${other.text ?? ''}`),
    ...(left === 0 ? [] : [`and ${left} more`]),
  ])
  block(
    'Problems',
    problems.map(({ severity = '', object, message = '' }) => `${severity}${of(object)}: ${message}`),
  )
  block('Did you mean', explained.nearest ?? [])
  return lines
}

/** A path that is not simply all of the host's. */
function path(written: string | undefined): string {
  return written === undefined || written === '/' ? '' : ` ${written}`
}

function of(object: Lenient<ExplainedObject> | null | undefined): string {
  return object ? ` (${object.kind} ${object.namespace}/${object.name})` : ''
}

function text(said: string | undefined): string[] {
  return said ? [said] : []
}

export const commands: Commands = { explain }
