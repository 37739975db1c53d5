// Why there is no answer, and what to try.

import type { ControllerUrl } from './controller-url.ts'
import { Fault } from './fault.ts'
import type { ConnectionError } from './transport.ts'

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** After an answer that did not come, or not whole. */
export function hintAtRepeating(method: string): string {
  if (method === 'GET') return 'Nothing was to be changed: try again.'
  return 'What was asked for may have been done all the same: look before you do it again.'
}

export function unreachable({ href }: ControllerUrl, { cause, destination }: ConnectionError, method: string): Fault {
  const error = innermost(cause)
  const { code = '' } = error
  const at = `${destination.hostname}:${destination.port}`
  const fault = (what: string, ...hints: string[]): Fault =>
    new Fault(`Cannot connect to ${href}: ${what}`, { cause: error, hints })
  if (untrusted.has(code))
    return fault(
      // Node adds what to try with Node.
      error.message.split(';', 1)[0]!,
      'A controller that you trust without its certificate: deis login <controller> --ssl-verify=false',
      'An authority of your own: put it into the store of the system, or into NODE_EXTRA_CA_CERTS=<file.pem>',
    )
  if (code.startsWith('ERR_SSL') || code === 'EPROTO')
    return fault('it does not speak TLS on that port', `Try http://${at} instead: deis login http://${at}`)
  switch (code) {
    case 'ECONNREFUSED':
      return fault(
        `nothing listens at ${at}`,
        `Is the controller running, and the port right? Try: curl -i ${href.replace(/\/+$/, '')}/healthz`,
      )
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return fault(
        `${destination.hostname} has no address${code === 'EAI_AGAIN' ? ' (the resolver does not answer)' : ''}`,
        'Is the name right, and are you in the network that knows it? deis whoami shows what the profile holds.',
      )
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return fault(
        `${at} does not answer (${code})`,
        'Is there a network, a firewall, or a proxy to name in http_proxy or https_proxy?',
      )
    case 'ECONNRESET':
    case 'EPIPE':
      return fault('the connection was closed before an answer came', hintAtRepeating(method))
    default:
      if (error.name === 'TimeoutError') return fault(`${at} did not answer in time`)
      return fault(error.message)
  }
}

/** Of several addresses tried, the first failure tells most. */
function innermost(error: unknown): NodeJS.ErrnoException {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0])
  const { cause } = error as Error
  return cause instanceof Error && (error as Error).name === 'AbortError'
    ? innermost(cause)
    : (error as NodeJS.ErrnoException)
}
