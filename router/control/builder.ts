// Where `git push` goes: from the Service `deis-builder` to the Builder of a Patch (contract section 5). No label is needed.

import type { Service } from '#kube/types.ts'
import type { Builder } from '../model/patch.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { UpstreamId } from '../model/upstream.ts'
import { duration } from './annotation.ts'
import { inForce, readTable, row } from './annotation-table.ts'
import { refKey } from './object-shape.ts'
import { resolvePort } from './service-port.ts'
import type { UpstreamTarget } from './upstream-book.ts'

const builderPort = 2222

const rows = {
  connectTimeout: row(duration, '10s', inForce),
  tcpTimeout: row(duration, '1200s', inForce),
}

export interface BuilderTranslation {
  readonly builder: Builder
  readonly target: UpstreamTarget
  readonly problems: readonly Problem[]
}

/** Which Service is the builder's. */
export function builderRef(routerNamespace: string): ObjectRef {
  return { kind: 'Service', namespace: routerNamespace, name: 'deis-builder' }
}

export function translateBuilder(ref: ObjectRef, service: Service, externalNames: boolean): BuilderTranslation {
  const annotations = service.metadata.annotations ?? {}
  const { values, problems: found } = readTable(rows, {}, 'router.deis.io/nginx.', annotations, ref)
  const problems = [...found]
  const port = resolvePort(service, builderPort, externalNames)
  if (port.kind === 'none') {
    const code = port.code === 'no-backend' ? 'no-port' : port.code
    const message = `${port.reason}, so that nothing answers on the builder's port`
    problems.push({ code, severity: 'error', object: ref, message })
  }
  const { namespace, name } = ref
  return {
    builder: {
      upstream: `${namespace}/${name}:${builderPort}` as UpstreamId,
      connectTimeout: values.connectTimeout,
      idleTimeout: values.tcpTimeout,
    },
    target: { kind: 'service', service: refKey(ref), port: builderPort, raw: true },
    problems,
  }
}
