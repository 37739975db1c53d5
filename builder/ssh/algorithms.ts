// What is offered to clients. Every client of the last ten years agrees on one of each; ssh-audit has nothing to say but that
// no key exchange is safe from quantum computers, which the library has none of.

import type { Algorithms } from 'ssh2'

export const algorithms = {
  // Without Diffie-Hellman over large numbers: it would let anybody spend tens of milliseconds of ours for one packet.
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org'],
  serverHostKey: [
    'ssh-ed25519',
    'rsa-sha2-512',
    'rsa-sha2-256',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
  ],
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes256-ctr', 'aes192-ctr', 'aes128-ctr'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
  // Packs are compressed, and what cannot be inflated cannot blow up.
  compress: ['none'],
} as const satisfies Algorithms
