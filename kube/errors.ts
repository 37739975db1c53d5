// What can go wrong between us and the API server: it answered no (KubeError), or it could not be asked or heard to
// the end (TransportError).

/** The API server refused: a status outside 2xx, or an ERROR event in a watch. */
export class KubeError extends Error {
  /** HTTP status, or the `code` of a watch's Status object. */
  readonly status: number
  /** Reason of the Status object (`NotFound`, `Forbidden`, `Expired`, …); empty when there was none. */
  readonly reason: string
  /** How long the server asks us to wait, milliseconds; null when it does not say. */
  readonly retryAfter: number | null

  constructor(status: number, reason: string, message: string, retryAfter: number | null = null) {
    super(message)
    this.name = 'KubeError'
    this.status = status
    this.reason = reason
    this.retryAfter = retryAfter
  }
}

/** The exchange broke: no connection, no credentials, no answer in time, an answer cut short or not readable. */
export class TransportError extends Error {
  /** True when the server certainly did not act on the request, so that any method may be sent again. */
  readonly unprocessed: boolean

  constructor(message: string, options: ErrorOptions & { readonly unprocessed?: boolean } = {}) {
    super(message, options)
    this.name = 'TransportError'
    this.unprocessed = options.unprocessed ?? false
  }
}

interface Status {
  readonly code?: number
  readonly reason?: string
  readonly message?: string
  readonly details?: { readonly retryAfterSeconds?: number }
}

/** The error that a response stands for. `body` is its text: a Status object, or whatever a proxy in between wrote. */
export function kubeErrorOfResponse(
  status: number,
  retryAfter: string | null,
  body: string,
  now: () => number,
): KubeError {
  const parsed = parseStatus(body)
  return new KubeError(
    status,
    parsed.reason ?? '',
    // Text of a proxy is not repeated: it may be a page of HTML, or echo what we sent.
    parsed.message ?? `the server answered ${status}`,
    parseRetryAfter(retryAfter, now) ?? waitOf(parsed),
  )
}

/** The error that the object of a watch's ERROR event stands for. */
export function kubeErrorOfStatus(object: unknown): KubeError {
  const status: Status = typeof object === 'object' && object !== null ? object : {}
  return new KubeError(status.code ?? 500, status.reason ?? '', status.message ?? 'the watch failed', waitOf(status))
}

function parseStatus(body: string): Status {
  try {
    const parsed: unknown = JSON.parse(body)
    const isStatus = typeof parsed === 'object' && parsed !== null && 'kind' in parsed && parsed.kind === 'Status'
    return isStatus ? (parsed as Status) : {}
  } catch {
    return {}
  }
}

function waitOf(status: Status): number | null {
  const seconds = status.details?.retryAfterSeconds
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : null
}

/** RFC 9110 section 10.2.3: seconds or an HTTP date. Milliseconds from now. */
function parseRetryAfter(value: string | null, now: () => number): number | null {
  if (value === null) return null
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? null : Math.max(0, date - now())
}
