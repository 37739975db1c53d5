// How much one object may ask for. A tenant writes it in a few kilobytes; the router multiplies domains by paths and whitelists,
// in every data thread, and everybody waits meanwhile.

/** Elements of `domains`, and of `certificates`. */
export const mostDomains = 500

/** Elements of one whitelist, and of `proxyRealIpCidrs`. */
export const mostBlocks = 1000

/** Elements of the `proxyLocations` of one handler, and characters of one of them. */
export const mostPrefixes = 100
export const longestPrefix = 1024

/** Routes for locations of one host app, of all its handlers: its hosts times their prefixes. */
export const mostLocationRoutes = 1000

/** Certificates in the `ca.crt` of a Secret, each of which every handshake names to clients, and characters of it. */
export const mostAuthorities = 100
export const longestAuthorities = 262_144

/** Rules, paths, entries of `spec.tls` and hosts in them of one Ingress, all together. */
export const mostIngressParts = 1000

/** Requests in flight that a limit may name; how many may wait for a place, each with what has come of it; how long, milliseconds. */
export const mostInFlight = 1_000_000
export const longestQueue = 1000
export const longestQueueTimeout = 60_000

/** Milliseconds. */
export const longestSlowStart = 60 * 60 * 1000

/** Failures, or checks, in a row. */
export const mostFailures = 100

/** Characters. */
export const longestCheckPath = 1024
