// Of the doctor: where pushes of a directory go, and how requests find its app.

import { lookup as resolve } from 'node:dns/promises'
import { connect } from 'node:net'
import type { Client } from '../client.ts'
import type { AppWithStructure, Certificate, Domain, Pod } from '../commands/app-records.ts'
import { pathOf } from '../commands/app-records.ts'
import { covers, expiryWarning } from '../commands/certificate-checks.ts'
import { appHostOf, isLocalName } from '../controller-url.ts'
import type { Repository } from '../git.ts'
import { lookup } from '../transport.ts'
import { messageOf } from './account.ts'
import { type Check, fail, ok, warn } from './check.ts'

/** Milliseconds for a port to answer. */
const patience = 5_000
/** Domains that are looked up: an app may have hundreds. */
const mostDomains = 20
/** Processes that are looked at: more than an app has. */
const mostProcesses = 1000

export async function checkRemote(repository: Repository): Promise<Check> {
  const name = 'git remote'
  try {
    const remotes = await repository.remotes()
    const found = remotes.find(({ url }) => repository.isBuilder(url))
    if (found !== undefined) return ok(name, `${found.name} is ${found.url}`)
    return warn(name, 'none of this directory leads to the builder', 'deis git:remote -a <app>')
  } catch (error) {
    return warn(name, messageOf(error), 'Fine unless you want to push from here; else: git init')
  }
}

/** Whether an SSH server greets there. */
export async function checkBuilder(repository: Repository, signal: AbortSignal): Promise<Check> {
  const name = 'builder'
  const { host, port } = await repository.builder()
  const at = `${host}:${port}`
  const greeting = await new Promise<string>(resolve => {
    const socket = connect({ host, port, lookup, signal })
    socket.setTimeout(patience, () => socket.destroy(new Error(`no answer in ${patience / 1000} s`)))
    socket.once('data', data => {
      resolve(data.toString('latin1').split('\r\n', 1)[0]!.slice(0, 80))
      socket.destroy()
    })
    socket.once('error', error => resolve(`no: ${(error as NodeJS.ErrnoException).code ?? error.message}`))
    socket.once('close', () => resolve('no: it was closed at once'))
  })
  if (greeting.startsWith('SSH-')) return ok(name, `${at} answers: ${greeting}`)
  if (greeting.startsWith('no: '))
    return fail(
      name,
      `${at} cannot be reached (${greeting.slice(4)})`,
      'Is port 2222 open on the way there? DEIS_BUILDER_PORT names another one.',
    )
  return fail(name, `${at} does not speak SSH`, 'Something else listens there: DEIS_BUILDER_PORT names another port.')
}

/** Whether what is to run is up. */
export async function checkProcesses(client: Client, { id, structure = {} }: AppWithStructure): Promise<Check> {
  const { results } = await client.page<Pod>(`${pathOf(id)}/pods/`, mostProcesses)
  return processesCheck(id, structure, results)
}

export function processesCheck(
  app: string,
  structure: Readonly<Record<string, number>>,
  pods: readonly Pick<Pod, 'type' | 'state'>[],
): Check {
  const name = 'processes'
  const wanted = Object.keys(structure).filter(type => structure[type]! > 0)
  if (wanted.length === 0) return ok(name, `${app} is to have none, by what was pushed and scaled`)
  const up = pods.filter(({ state }) => state === 'up')
  const missing = wanted.filter(type => !up.some(pod => pod.type === type))
  const advice = `deis ps -a ${app} and deis logs -a ${app} tell more; deis releases -a ${app} what changed last`
  if (missing.length === 0) return ok(name, `${up.length} up (${wanted.join(', ')})`)
  const found = missing.map(type => `${type} (${statesOf(type, pods)})`).join(', ')
  if (missing.length < wanted.length) return warn(name, `none is up of ${found}`, advice)
  return fail(name, `${app} has none that is up: ${found}`, advice)
}

/** `crashed`, `starting, crashed`, `none is there`. */
function statesOf(wanted: string, pods: readonly Pick<Pod, 'type' | 'state'>[]): string {
  const states = new Set(pods.filter(({ type }) => type === wanted).map(({ state }) => state))
  return states.size === 0 ? 'none is there' : [...states].join(', ')
}

/** Names and certificates of an app. */
export async function checkDomains(client: Client, app: string, now: number): Promise<readonly Check[]> {
  const { results, count } = await client.page<Domain>(`${pathOf(app)}/domains/`, mostDomains)
  if (results.length === 0)
    return [fail('domains', `${app} has none: no request can find it`, `deis domains:add <domain> -a ${app}`)]
  const checks = await Promise.all(results.map(({ domain }) => checkName(client, domain)))
  if (count > results.length)
    checks.push(
      warn('domains', `only the first ${results.length} of ${count} were looked up`, 'deis domains:list --limit=0'),
    )
  return [...checks, ...(await checkCertificates(client, app, results, now))]
}

async function checkName(client: Client, domain: string): Promise<Check> {
  const host = appHostOf(client.controller, domain).replace(/:[0-9]+$/, '')
  const name = `DNS of ${domain}`
  if (isLocalName(host)) return ok(name, `${host} is this machine`)
  // Any name below it will do.
  const asked = host.replace(/^\*\./, 'deis-doctor.')
  const shown = asked === host ? host : `${asked} (tried as one of all the names under ${host})`
  try {
    const addresses = await resolve(asked, { all: true })
    return ok(name, `${shown} is ${addresses.map(({ address }) => address).join(', ')}`)
  } catch (error) {
    return fail(
      name,
      `${shown} has no address (${(error as NodeJS.ErrnoException).code})`,
      'Make a record that leads to the router.',
    )
  }
}

async function checkCertificates(
  client: Client,
  app: string,
  domains: readonly Domain[],
  now: number,
): Promise<readonly Check[]> {
  const { results } = await client.page<Certificate>('/certs/', 1000)
  const checks: Check[] = []
  for (const { domain } of domains) {
    const certificate = results.find(({ domains: attached }) => attached?.includes(domain))
    if (certificate === undefined) continue
    const name = `certificate of ${domain}`
    const warning = expiryWarning(certificate, now)
    if (!covers(certificate, domain))
      checks.push(fail(name, `${certificate.name} is not for that name`, `deis certs:attach <name> ${domain}`))
    else if (warning === null) checks.push(ok(name, `${certificate.name}, valid until ${certificate.expires}`))
    else {
      const isOver = Date.parse(certificate.expires ?? '') < now
      const make = isOver ? fail : warn
      checks.push(make(name, warning, 'Renew it: deis certs:add <new name> <cert> <key>, then deis certs:attach'))
    }
  }
  if (checks.length === 0)
    checks.push(ok('certificates', `no domain of ${app} has one of yours: the platform's answers`))
  return checks
}
