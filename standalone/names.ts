// What things are called on one machine.

/** Names below it lead to this machine without anybody's help (RFC 6761, section 6.3). */
export const platformDomain = 'localhost'

/** Where the platform's own objects are; no app can be called so. */
export const namespace = 'deis'

/** What the registry is called in tokens. */
export const registryService = 'deis-registry'

/** Where what listens at the address is reached from this machine, as part of a URL. */
export function ownHost(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  if (address === '::') return '[::1]'
  return address.includes(':') ? `[${address}]` : address
}
