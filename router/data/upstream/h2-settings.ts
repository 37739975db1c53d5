// What the endpoint of a session has said of itself (RFC 9113 section 6.5.2).

import { defaultWindow, type ErrorCode, errorCode, maxFrameSize, maxWindow, setting } from '../h2/frames.ts'

/** Streams at a time, whatever the endpoint would take: another connection is better then. */
const maxStreams = 1000
const largestFrame = 0xffffff

export class EndpointSettings {
  /** Streams that it takes at a time. */
  streams = maxStreams
  /** Octets of DATA that it takes of a new stream. */
  window = defaultWindow
  /** It knows RFC 8441. */
  tunnels = false

  /** All but SETTINGS_HEADER_TABLE_SIZE, which is the encoder's. The error that it is, or NO_ERROR. */
  take(id: number, value: number): ErrorCode {
    switch (id) {
      case setting.enablePush:
        if (value !== 0) return errorCode.protocolError
        break
      case setting.maxConcurrentStreams:
        this.streams = Math.min(value, maxStreams)
        break
      case setting.initialWindowSize:
        if (value > maxWindow) return errorCode.flowControlError
        this.window = value
        break
      case setting.maxFrameSize:
        // None larger than the least that it may ask for is ever sent.
        if (value < maxFrameSize || value > largestFrame) return errorCode.protocolError
        break
      case setting.enableConnectProtocol:
        if (value > 1) return errorCode.protocolError
        this.tunnels = value === 1
        break
    }
    return errorCode.noError
  }
}
