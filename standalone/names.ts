// What things are called on one machine.

/** Names below it lead to this machine without anybody's help (RFC 6761, section 6.3). */
export const platformDomain = 'localhost'

/** Where the platform's own objects are; no app can be called so. */
export const namespace = 'deis'

/** What the registry is called in tokens. */
export const registryService = 'deis-registry'
