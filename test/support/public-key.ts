// Public SSH keys for tests, each another one.

import { createHash, randomBytes } from 'node:crypto'

/** A line as in `authorized_keys`, and its fingerprint as builders ask for it. */
export function publicKey(): { readonly text: string; readonly fingerprint: string } {
  // RFC 8709, section 4: any 32 octets are one.
  const blob = Buffer.concat(
    [Buffer.from('ssh-ed25519'), randomBytes(32)].flatMap(part => [Buffer.from([0, 0, 0, part.length]), part]),
  )
  const digest = createHash('md5').update(blob).digest('hex')
  return { text: `ssh-ed25519 ${blob.toString('base64')}`, fingerprint: digest.match(/../g)!.join(':') }
}
