// The keys of session tickets on their way to data threads: sets of keys, one behind the other in one array of octets. The
// first one makes tickets, all of them read them.

/** Octets of a set, as TLS libraries have it: a name, a key to authenticate with and a key to encrypt with, 16 each. */
export const ticketKeyLength = 48

/** The sets, of which there is one at least. */
export function splitTicketKeys(joined: Uint8Array): readonly Buffer[] {
  const octets = Buffer.from(joined)
  if (octets.length === 0 || octets.length % ticketKeyLength !== 0)
    throw new TypeError(`ticket keys come in sets of ${ticketKeyLength} octets`)
  return Array.from({ length: octets.length / ticketKeyLength }, (_, index) =>
    octets.subarray(index * ticketKeyLength, (index + 1) * ticketKeyLength),
  )
}
