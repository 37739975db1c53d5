// The numbers of HTTP/2 (RFC 9113 sections 6, 7 and 11).

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const flag = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

export const errorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const

export type ErrorCode = (typeof errorCode)[keyof typeof errorCode]

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  /** RFC 8441 section 3. */
  enableConnectProtocol: 8,
} as const

/** What a client sends first (RFC 9113 section 3.4). */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

export const frameHeaderSize = 9
/** The largest payload that either side takes here: the default, and the smallest that may be asked for. */
export const maxFrameSize = 16_384
/** Windows begin with this and never pass the other (RFC 9113 section 6.9). */
export const defaultWindow = 65_535
export const maxWindow = 0x7fffffff
