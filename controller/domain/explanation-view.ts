// What of an explanation somebody may see who does not run the platform: all about his own apps, of others that they are
// there, not who they are. Pure.

import type { ExplainedOther, ExplainedOutcome, Explanation } from '#kit/explanation.ts'
import { hideNames } from '#kit/hidden-names.ts'

/** `mayKnow`: whether objects of this namespace are his; namespaces of apps are called as the apps. */
export function viewOf(explanation: Explanation, mayKnow: (namespace: string) => boolean): Explanation {
  const { route, certificate, upstream } = explanation
  const isOwn = route !== null && route.object !== null && mayKnow(route.object.namespace)
  const others = explanation.others
    .filter(({ object }) => object !== null && mayKnow(object.namespace))
    .map(other => otherOf(other, mayKnow))
  const common = {
    ...explanation,
    others,
    othersLeftOut: 0,
    problems: explanation.problems
      .filter(({ object }) => mayKnow(object.namespace))
      .map(problem => ({ ...problem, message: hideNames(problem.message, mayKnow) })),
  }
  if (!isOwn) {
    const outcome = strangersOutcome(explanation, others)
    return { ...common, outcome, route: null, certificate: null, policies: [], upstream: null }
  }
  const secret = certificate?.secret ?? null
  return {
    ...common,
    certificate:
      certificate === null
        ? null
        : {
            ...certificate,
            secret: secret !== null && mayKnow(secret.namespace) ? secret : null,
            text: hideNames(certificate.text, mayKnow),
          },
    // A path may be handed to an app of somebody else.
    upstream: upstream !== null && mayKnow(namespaceOf(upstream.id)) ? upstream : null,
    policies: explanation.policies,
  }
}

function strangersOutcome(
  { host, path, outcome, route }: Explanation,
  others: readonly ExplainedOther[],
): ExplainedOutcome {
  const hidden = (text: string): ExplainedOutcome => ({ kind: 'hidden', status: null, location: null, text })
  if (route !== null)
    return hidden(
      route.object === null
        ? `no app has ${host}: what the platform has for such hosts answers`
        : `another app has ${host}${path === '/' ? '' : ', or this path of it'}`,
    )
  if (outcome.kind !== 'not-found' || others.length > 0) return outcome
  return { ...outcome, text: `nothing is routed for this URL` }
}

function otherOf(other: ExplainedOther, mayKnow: (namespace: string) => boolean): ExplainedOther {
  const { owner, reason } = other
  if (owner === null || mayKnow(owner.namespace)) return other
  const what = reason === 'path-taken' || reason === 'less-specific-path' ? 'this path of the host' : 'this host'
  return { ...other, owner: null, text: `another app has ${what}` }
}

/** Of `NAMESPACE/NAME:PORT`. */
function namespaceOf(upstream: string): string {
  return upstream.slice(0, Math.max(0, upstream.indexOf('/')))
}
