// Certificates.

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { segment } from '../client.ts'
import { type Command, type Commands, jsonOption, limitOption } from '../command.ts'
import type { Context } from '../context.ts'
import { AnswerFault, Fault, reasonOf } from '../fault.ts'
import { labelLines, tableLines } from '../output/aligned.ts'
import { dateText, spanText } from '../output/times.ts'
import type { Certificate } from './app-records.ts'
import { belongs, covers, expiryWarning } from './certificate-checks.ts'

const nameArgument = { name: '<name>', count: 'one', help: 'the name of the certificate.' } as const
const domainArgument = { name: '<domain>', count: 'one', help: 'the domain, which an app has already.' } as const

const list: Command = {
  about: 'Show certificate information for an SSL application.',
  options: [limitOption, jsonOption],
  async run(context, args) {
    const { output, around } = context
    const certificates = await context.page<Certificate>('/certs/', args)
    warnOfExpiry(context, ...certificates.results)
    if (args.flag('json')) return output.json(certificates)
    if (certificates.results.length === 0) {
      output.line('No certs')
      return
    }
    const headers = ['Name', 'Common Name', 'SubjectAltName', 'Expires', 'Fingerprint', 'Domains', 'Updated', 'Created']
    output.lines(
      tableLines(
        headers,
        certificates.results.map(one => row(one, around.now())),
      ),
    )
  },
}

function row(certificate: Certificate, now: number): string[] {
  const { name, common_name, san, expires, fingerprint, domains, updated, created } = certificate
  const print = fingerprint ?? ''
  return [
    name,
    common_name ?? '',
    (san ?? []).join(','),
    expiryText(expires, now),
    print.length > 4 ? `${print.slice(0, 5)}[...]${print.slice(-5)}` : print,
    (domains ?? []).join(','),
    dateText(updated),
    dateText(created),
  ]
}

/** `10 Nov 2014 (expired)`, `1 Aug 2016 (in 2 months)`. */
export function expiryText(expires: string | null, now: number): string {
  const date = dateText(expires)
  if (date === 'unknown') return date
  const left = Date.parse(expires!) - now
  return left < 0 ? `${date} (expired)` : `${date} (in ${spanText(left)})`
}

const add: Command = {
  about: 'Binds a certificate/key pair to an application.',
  positionals: [
    { name: '<name>', count: 'one', help: 'the name of the certificate: a-z, 0-9 and hyphens.' },
    { name: '<cert>', count: 'one', help: 'the file of the certificate, with those of its issuers after it (PEM).' },
    { name: '<key>', count: 'one', help: 'the file of the private key (PEM).' },
  ],
  async run(context, args) {
    const { output } = context
    const client = await context.client()
    const certificate = await readText(context, args.at(1))
    const key = await readText(context, args.at(2))
    output.print('Adding SSL endpoint... ')
    const added = await output.progress(
      client.post<Certificate>('/certs/', { name: args.at(0), certificate, key }).catch(hintAtSwap(certificate, key)),
    )
    output.line('done')
    warnOfExpiry(context, added)
    if (!(await belongs(key, certificate)))
      output.warn(
        `Warning: ${args.at(2)} is not the key of ${args.at(1)}: no router can use the certificate ${args.at(0)}.`,
      )
  },
}

/** The controller alone judges what they are; when it says no, it is told what they look like. */
function hintAtSwap(certificate: string, key: string): (error: unknown) => never {
  const isSwapped = certificate.includes('PRIVATE KEY-----') && /-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/.test(key)
  return error => {
    if (!isSwapped || !(error instanceof AnswerFault)) throw error
    const hints = ['The two files may be swapped: deis certs:add <name> <cert> <key>']
    throw new AnswerFault(error.message, error.status, error.body, { cause: error, hints })
  }
}

async function readText({ around }: Context, path: string): Promise<string> {
  try {
    return await readFile(resolve(around.directory, path), 'utf8')
  } catch (error) {
    throw new Fault(`${path} cannot be read (${reasonOf(error)})`)
  }
}

const remove: Command = {
  about: 'Removes a certificate/key pair from the application.',
  positionals: [nameArgument],
  async run(context, args) {
    const { output } = context
    const client = await context.client()
    const name = args.at(0)
    output.print(`Removing ${name}... `)
    await output.progress(client.call('DELETE', `/certs/${segment(name)}`))
    output.line('done')
  },
}

const info: Command = {
  about: 'Gets detailed information about a certificate.',
  positionals: [nameArgument],
  options: [jsonOption],
  async run(context, args) {
    const { output } = context
    const certificate = await (await context.client()).get<Certificate>(`/certs/${segment(args.at(0))}`)
    warnOfExpiry(context, certificate)
    if (args.flag('json')) return output.json(certificate)
    output.line(`=== ${certificate.name} Certificate`)
    output.lines(
      labelLines(
        [
          ['Common Name(s):', certificate.common_name ?? ''],
          ['Expires At:', dateText(certificate.expires)],
          ['Starts At:', dateText(certificate.starts)],
          ['Fingerprint:', certificate.fingerprint ?? ''],
          ['Subject Alt Name:', (certificate.san ?? []).join(',') || 'N/A'],
          ['Issuer:', certificate.issuer ?? ''],
          ['Subject:', certificate.subject ?? ''],
          ['', ''],
          ['Connected Domains:', (certificate.domains ?? []).join(',') || 'No connected domains'],
          ['Owner:', certificate.owner ?? ''],
          ['Created:', dateText(certificate.created)],
          ['Updated:', dateText(certificate.updated)],
        ],
        20,
      ),
    )
  },
}

const attach: Command = {
  about: 'Attaches a certificate to a domain.',
  positionals: [nameArgument, domainArgument],
  async run(context, args) {
    const { output } = context
    const client = await context.client()
    const [name, domain] = [args.at(0), args.at(1)]
    output.print(`Attaching certificate ${name} to domain ${domain}... `)
    await output.progress(client.call('POST', `/certs/${segment(name)}/domain/`, { domain }))
    output.line('done')
    // It is attached: what is only good to know must not fail.
    const certificate = await client.get<Certificate>(`/certs/${segment(name)}`).catch(() => null)
    if (certificate === null) return
    warnOfExpiry(context, certificate)
    if (!covers(certificate, domain))
      output.warn(`Warning: the certificate ${name} is not for ${domain}: browsers will refuse it.`)
  },
}

const detach: Command = {
  about: 'Detaches a certificate from a domain.',
  positionals: [nameArgument, domainArgument],
  async run(context, args) {
    const { output } = context
    const client = await context.client()
    const [name, domain] = [args.at(0), args.at(1)]
    output.print(`Detaching certificate ${name} from domain ${domain}... `)
    await output.progress(client.call('DELETE', `/certs/${segment(name)}/domain/${segment(domain)}`))
    output.line('done')
  },
}

function warnOfExpiry({ output, around }: Context, ...certificates: readonly Certificate[]): void {
  for (const certificate of certificates) {
    const warning = expiryWarning(certificate, around.now())
    if (warning !== null) output.warn(`Warning: ${warning}`)
  }
}

export const commands: Commands = { list, add, remove, info, attach, detach }
