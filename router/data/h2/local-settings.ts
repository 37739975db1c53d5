// What we tell our clients of ourselves, and hold them to (RFC 9113 section 6.5).

export const maxStreams = 128
/** What a client may send ahead of the endpoint: octets of a stream, and of a connection. */
export const streamWindow = 256 * 1024
export const connectionWindow = 2 * 1024 * 1024
/** Our table for the client's field lines, octets. */
export const decoderTable = 4096
