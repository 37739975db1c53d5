// Probes that tell whether a process lives and takes requests.

import { compareText } from '#kit/compare-text.ts'
import type { Arguments } from '../arguments.ts'
import { appOption, type Command, type Commands, jsonOption, type Option } from '../command.ts'
import { Fault } from '../fault.ts'
import type { Config, Probe, Probes } from './app-records.ts'
import { changeConfig, showConfig } from './config-change.ts'
import { removals } from './pairs.ts'

/** Whichever of the two takes requests. */
const defaultType = 'web/cmd'

const typeOption: Option = {
  name: 'type',
  value: 'type',
  help: 'the process type that the health check is for.',
}

const timings = [
  ['initial-delay-timeout', '50', 'initialDelaySeconds', 'the initial delay timeout for the probe, in seconds'],
  ['timeout-seconds', '50', 'timeoutSeconds', 'the number of seconds after which the probe times out'],
  ['period-seconds', '10', 'periodSeconds', 'how often (in seconds) to perform the probe'],
  ['success-threshold', '1', 'successThreshold', 'successes in a row after which a failed probe counts as successful'],
  ['failure-threshold', '3', 'failureThreshold', 'failures in a row after which a successful probe counts as failed'],
] as const

const list: Command = {
  about: 'Lists healthchecks for an application.',
  options: [appOption, typeOption, jsonOption],
  run: (context, args) => showConfig(context, args, (config, app) => healthcheckLines(app, config, args.text('type'))),
}

function healthcheckLines(app: string, { healthcheck }: Config, type: string | null): string[] {
  const title = `=== ${app} Healthchecks`
  const types = type === null ? Object.keys(healthcheck).sort(compareText) : [type]
  if (types.length === 0) return [title, 'No health checks configured.']
  return [title, ...types.flatMap(one => ['', `${one}:`, ...probesLines(healthcheck[one] ?? {})])]
}

function probesLines({ livenessProbe, readinessProbe }: Probes): string[] {
  return [
    '--- Liveness',
    ...(livenessProbe ? probeLines(livenessProbe) : ['No liveness probe configured.']),
    '',
    '--- Readiness',
    ...(readinessProbe ? probeLines(readinessProbe) : ['No readiness probe configured.']),
  ]
}

export function probeLines({ exec, httpGet, tcpSocket, ...timing }: Probe): string[] {
  const headers = (httpGet?.httpHeaders ?? []).map(({ name, value }) => `${name}=${value}`).join(' ')
  return [
    `Initial Delay (seconds): ${timing.initialDelaySeconds ?? 0}`,
    `Timeout (seconds): ${timing.timeoutSeconds ?? 0}`,
    `Period (seconds): ${timing.periodSeconds ?? 0}`,
    `Success Threshold: ${timing.successThreshold ?? 0}`,
    `Failure Threshold: ${timing.failureThreshold ?? 0}`,
    `Exec Probe: ${exec ? `Command=[${exec.command.join(' ')}]` : 'N/A'}`,
    `HTTP GET Probe: ${httpGet ? `Path="${httpGet.path ?? ''}" Port=${httpGet.port} HTTPHeaders=[${headers}]` : 'N/A'}`,
    `TCP Socket Probe: ${tcpSocket ? `Port=${tcpSocket.port}` : 'N/A'}`,
  ]
}

const set: Command = {
  about:
    'Sets healthchecks for an application.\n\n' +
    "A 'liveness' probe finds processes that must be restarted, a 'readiness' probe those that can take no requests now.\n" +
    "'httpGet' asks a port and passes with a status from 200 to 399, 'exec' runs a command in the container and passes\n" +
    "with exit code 0, 'tcpSocket' passes when a port takes a connection.",
  positionals: [
    { name: '<health-type>', count: 'one', help: "'liveness' or 'readiness'." },
    { name: '<probe-type>', count: 'one', help: "'httpGet', 'exec' or 'tcpSocket'." },
    { name: '[--] <args>', count: 'many', help: "for 'exec' the command, its options after --; else a port number." },
  ],
  options: [
    appOption,
    { name: 'path', short: 'p', value: 'path', absent: '/', help: "the relative URL path for 'httpGet' probes." },
    { ...typeOption, absent: defaultType },
    { name: 'headers', value: 'headers', help: "HTTP headers for 'httpGet' probes: <name>:<value>,<name>:<value>" },
    ...timings.map(([name, absent, , help]) => ({ name, value: name, absent, help })),
  ],
  async run(context, args) {
    const kind = probeName(args.at(0))
    const probe = { ...timingsOf(args), ...checkOf(args) }
    const app = await context.app(args)
    const type = args.text('type')!
    await changeConfig(
      context,
      app,
      `Applying ${kind} healthcheck`,
      { healthcheck: { [type]: { [kind]: probe } } },
      config => healthcheckLines(app, config, type),
    )
  },
}

const unset: Command = {
  about: 'Unsets healthchecks for an application.',
  positionals: [{ name: '<health-type>', count: 'many', help: "'liveness' or 'readiness'." }],
  options: [appOption, { ...typeOption, absent: defaultType }],
  async run(context, args) {
    const gone = removals(args.from(0).map(probeName))
    const app = await context.app(args)
    const type = args.text('type')!
    await changeConfig(context, app, 'Removing healthchecks', { healthcheck: { [type]: gone } }, config =>
      healthcheckLines(app, config, type),
    )
  },
}

function probeName(healthType: string): 'livenessProbe' | 'readinessProbe' {
  if (healthType === 'liveness' || healthType === 'readiness') return `${healthType}Probe`
  throw new Fault(`probe type ${healthType} is invalid. Must be one of [liveness readiness]`)
}

function timingsOf(args: Arguments): Record<string, number> {
  return Object.fromEntries(timings.map(([option, , field]) => [field, args.number(option)!]))
}

export function checkOf(args: Arguments): Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket'> {
  switch (args.at(1)) {
    case 'httpGet': {
      const headers = parseHeaders(args.text('headers'))
      const httpGet = { path: args.text('path')!, port: portOf(args.at(2)) }
      return { httpGet: headers.length === 0 ? httpGet : { ...httpGet, httpHeaders: headers } }
    }
    case 'exec':
      return { exec: { command: args.from(2) } }
    case 'tcpSocket':
      return { tcpSocket: { port: portOf(args.at(2)) } }
    default:
      throw new Fault('Invalid probe type. Must be one of: "httpGet", "exec", "tcpSocket"')
  }
}

function portOf(text: string): number {
  if (/^[0-9]{1,5}$/.test(text)) return Number(text)
  throw new Fault(`could not parse port: ${JSON.stringify(text)} is no number of one`)
}

export function parseHeaders(text: string | null): { readonly name: string; readonly value: string }[] {
  if (text === null) return []
  return text.split(',').map(header => {
    const colon = header.indexOf(':')
    if (colon === -1) throw new Fault(`could not parse headers: could not find separator in header (${header})`)
    return { name: header.slice(0, colon).trim(), value: header.slice(colon + 1).trim() }
  })
}

export const commands: Commands = { list, set, unset }
