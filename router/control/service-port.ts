// Which port of a Service a backend means, and where its traffic goes (ingress contract I-B1, I-B4 and I-B6). Pure.

import type { Service } from '#kube/types.ts'
import { parseHostname } from '../model/hostname.ts'
import type { ProblemCode } from '../model/problem.ts'

export type PortResolution =
  /** To the EndpointSlices of the Service, those with the port `portName` (empty: it has no name). */
  | { readonly kind: 'slices'; readonly port: number; readonly portName: string; readonly appProtocol: string | null }
  /** To the addresses of a name outside the cluster. */
  | { readonly kind: 'external'; readonly port: number; readonly host: string; readonly appProtocol: string | null }
  /** Nowhere; `reason` is a clause. */
  | { readonly kind: 'none'; readonly code: ProblemCode; readonly reason: string }

/** `wanted`: the port's number or its name. `service` null: it does not exist. TCP only. */
export function resolvePort(service: Service | null, wanted: number | string, externalNames: boolean): PortResolution {
  if (service === null) return { kind: 'none', code: 'no-backend', reason: 'there is no such Service' }
  const { type, externalName = '', ports = [] } = service.spec ?? {}
  const found = ports.find(
    ({ port, name, protocol = 'TCP' }) => protocol === 'TCP' && (typeof wanted === 'number' ? port : name) === wanted,
  )
  if (type === 'ExternalName') {
    if (!externalNames) {
      const reason = 'the Service is of type ExternalName, and those are switched off here (--external-names)'
      return { kind: 'none', code: 'unsupported', reason }
    }
    const host = parseHostname(externalName.replace(/\.$/, ''))
    if (host === null) return { kind: 'none', code: 'no-backend', reason: 'its externalName is no host name' }
    // Such a Service need not list ports, as nothing in the cluster listens for it.
    const port = found?.port ?? (typeof wanted === 'number' ? wanted : null)
    return port === null ? noPort(wanted) : { kind: 'external', port, host, appProtocol: found?.appProtocol ?? null }
  }
  if (found === undefined) return noPort(wanted)
  const { port, name = '', appProtocol = null } = found
  return { kind: 'slices', port, portName: name, appProtocol }
}

function noPort(wanted: number | string): PortResolution {
  const which = typeof wanted === 'number' ? wanted : `named ${JSON.stringify(wanted)}`
  return { kind: 'none', code: 'no-backend', reason: `the Service has no TCP port ${which}` }
}
