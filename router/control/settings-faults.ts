// What is wrong with router-wide settings whose text is well-formed and yet not all of it can be had: expressions that do
// not compile, variables and ciphers that nobody knows, gaps between TLS versions. The rest of the setting is in force.

import { getCiphers } from 'node:tls'
import { readCipherList } from '../model/cipher-list.ts'
import { logFormatFaults } from '../model/log-variables.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { RouterSettings } from '../model/settings.ts'
import { UserAgents } from '../model/user-agents.ts'
import { quote } from './annotation.ts'

const maxShown = 10

/** A Problem for each setting that is not all in force. `prefix` is that of the keys. */
export function settingsFaults(settings: RouterSettings, prefix: string, object: ObjectRef): readonly Problem[] {
  const { gzip, logFormat, tls } = settings
  return [
    ...warn('gzip.disable', new UserAgents(gzip.disable).faults),
    ...warn('logFormat', logFormat === null ? [] : logFormatFaults(logFormat)),
    ...warn('ssl.protocols', protocolFaults(tls.protocols)),
    ...warn('ssl.ciphers', cipherFaults(tls.ciphers)),
    ...warn('ssl.bufferSize', bufferFaults(tls.bufferSize)),
    ...warn('largeHeaderBuffersSize', lineFaults(settings.largeHeaderBuffers.size)),
  ]

  function warn(key: string, faults: readonly string[]): Problem[] {
    if (faults.length === 0) return []
    const rest = faults.length > maxShown ? `; and ${faults.length - maxShown} more` : ''
    const message = `${prefix}${key}: ${faults.slice(0, maxShown).join('; ')}${rest}`
    return [{ code: 'invalid-annotation', severity: 'warning', object, message }]
  }
}

const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

function protocolFaults(protocols: readonly string[]): readonly string[] {
  const faults = protocols.filter(name => name.startsWith('SSL')).map(name => `${name} is broken and not spoken`)
  const listed = versions.filter(version => protocols.includes(version))
  if (listed.length === 0) return [...faults, 'nothing usable is left: TLSv1.2 and TLSv1.3 it is']
  const span = versions.slice(versions.indexOf(listed[0]!), versions.indexOf(listed.at(-1)!) + 1)
  for (const version of span)
    if (!listed.includes(version)) faults.push(`there can be no gaps: ${version} is spoken too`)
  if (listed[0] === 'TLSv1' || listed[0] === 'TLSv1.1')
    faults.push(`${listed[0]} is obsolete (RFC 8996) and lowers the security level of all connections`)
  return faults
}

function bufferFaults(size: number): readonly string[] {
  if (size < 512) return ['TLS records have 512 octets at least']
  return size > 16_384 ? ['TLS records have 16k at most'] : []
}

/** A request line alone takes more. */
function lineFaults(size: number): readonly string[] {
  return size < 256 ? [`${size} octets are less than most requests need: they are answered 414 or 431`] : []
}

function cipherFaults(ciphers: string | null): readonly string[] {
  if (ciphers === null) return []
  const { list, unknown } = readCipherList(ciphers, getCiphers())
  const faults = unknown.map(name => `${quote(name)} is no cipher suite of this TLS library`)
  return list === null ? [...faults, "nothing usable is left: the library's list it is"] : faults
}
