// The deploy key in `SSH_KEY`: given as text, in base64 or as a file, and sent in base64.

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Fault } from '../fault.ts'

const begins = /^-----BEGIN (?:(?:DSA|RSA|EC|OPENSSH) )?PRIVATE KEY-----/

/** Throws a Fault, which does not tell the value: it may be a key. */
export async function sshKeyOf(value: string, directory: string): Promise<string> {
  const encoded = (text: string): string => Buffer.from(text).toString('base64')
  if (begins.test(value)) return encoded(value)
  const decoded = Buffer.from(value, 'base64').toString()
  if (begins.test(decoded)) return encoded(decoded)
  const text = await readFile(resolve(directory, value), 'utf8').catch(() => '')
  if (begins.test(text)) return encoded(text)
  throw new Fault(
    'Could not parse SSH private key: SSH_KEY must be one, its base64, or the path of a file that holds it',
  )
}
