// What stands between a request and its app, in the order in which the data threads look at it (`data/policy/chain.ts`), for
// explanations. A URL alone does not tell who asks: then it says what it depends on.

import type { ExplainedOutcome, ExplainedPolicy } from '#kit/explanation.ts'
import type { Cidr } from '../model/cidr.ts'
import type { Policy, Route } from '../model/route.ts'
import { standardUpstreamSettings } from '../model/upstream-settings.ts'
import type { AskedUrl } from './explain.ts'
import type { Published } from './published.ts'

/** Blocks of an allow list that are named; their number is exact. */
const mostBlocks = 16
const challenges = '/.well-known/acme-challenge/'

interface Step extends ExplainedPolicy {
  /** What the client gets when this answers. */
  readonly outcome?: ExplainedOutcome
}

export interface ExplainedPolicies {
  readonly policies: readonly ExplainedPolicy[]
  /** Null: none of them ends every request. */
  readonly outcome: ExplainedOutcome | null
}

/** `used`: endpoints that requests go to. */
export function explainPolicies(
  asked: AskedUrl,
  route: Route | null,
  { settings, upstreams }: Published,
  used: number,
): ExplainedPolicies {
  if (route === null) return { policies: [], outcome: null }
  const of = <K extends Policy['kind']>(kind: K): Extract<Policy, { readonly kind: K }> | null =>
    (route.policies.find(policy => policy.kind === kind) as Extract<Policy, { readonly kind: K }>) ?? null
  const allowed = of('allow-list')?.blocks ?? null
  const steps = [
    bodySize(settings?.bodySize ?? 0),
    of('maintenance') === null ? null : maintenance(allowed),
    endpoints(used),
    enforceHttps(of('enforce-https'), asked),
    allowed === null ? null : allowList(allowed),
    clientCertificate(of('client-certificate'), asked),
    limits(upstreams.get(route.backend.upstream)?.settings.limits ?? standardUpstreamSettings.limits),
    timeouts(route),
  ].filter(step => step !== null)
  const decisive = steps.find(({ effect }) => effect === 'answers')
  return {
    policies: steps.map(({ kind, effect, values, text }) => ({ kind, effect, values, text })),
    outcome: decisive?.outcome ?? null,
  }
}

function bodySize(octets: number): Step {
  const text = octets === 0 ? 'a body may be of any size' : `a larger body than ${octets} octets is answered 413`
  return { kind: 'body-size', effect: octets === 0 ? 'passes' : 'depends', values: { octets }, text }
}

function maintenance(allowed: readonly Cidr[] | null): Step {
  const text = 'maintenance is on: 503 with the maintenance page'
  return {
    kind: 'maintenance',
    effect: 'answers',
    values: {},
    text: allowed === null ? text : `${text}, and 403 for whom the allow list leaves out`,
    outcome: { kind: 'maintenance', status: 503, location: null, text },
  }
}

function endpoints(used: number): Step {
  if (used > 0) return { kind: 'endpoints', effect: 'passes', values: { used }, text: `${used} endpoints get requests` }
  const text = 'no endpoint is ready: 503'
  const outcome: ExplainedOutcome = { kind: 'no-endpoint', status: 503, location: null, text }
  return { kind: 'endpoints', effect: 'answers', values: { used }, text, outcome }
}

function enforceHttps(
  policy: Extract<Policy, { readonly kind: 'enforce-https' }> | null,
  { scheme, host, path, query }: AskedUrl,
): Step | null {
  if (policy === null) return null
  const kind = 'enforce-https'
  const { exceptChallenges } = policy
  if (scheme === 'https') return { kind, effect: 'passes', values: { exceptChallenges }, text: 'it is HTTPS already' }
  if (exceptChallenges && path.startsWith(challenges))
    return { kind, effect: 'passes', values: { exceptChallenges }, text: 'a challenge for a certificate is spared' }
  const location = `https://${host}${path}${query}`
  const text = `plain HTTP is redirected to ${location}, unless X-Forwarded-Proto says that it came by HTTPS`
  const outcome: ExplainedOutcome = { kind: 'redirect', status: 301, location, text }
  return { kind, effect: 'answers', values: { exceptChallenges, location }, text, outcome }
}

function allowList(blocks: readonly Cidr[]): Step {
  const shown = blocks.slice(0, mostBlocks).map(({ address, prefix }) => `${address}/${prefix}`)
  const values = { blocks: blocks.length, shown }
  if (blocks.length === 0) {
    const text = 'the allow list is empty: nobody gets in, 403'
    const outcome: ExplainedOutcome = { kind: 'refused', status: 403, location: null, text }
    return { kind: 'allow-list', effect: 'answers', values, text, outcome }
  }
  const more = blocks.length > shown.length ? ` and ${blocks.length - shown.length} more` : ''
  const text = `only clients in ${shown.join(', ')}${more} get in, others get 403`
  return { kind: 'allow-list', effect: 'depends', values, text }
}

function clientCertificate(
  policy: Extract<Policy, { readonly kind: 'client-certificate' }> | null,
  { scheme }: AskedUrl,
): Step | null {
  if (policy === null) return null
  const { authorities, required, passToApp } = policy
  const kind = 'client-certificate'
  const values = { required, passToApp, authoritiesKnown: authorities !== null }
  if (authorities === null || scheme === 'http') {
    const why = authorities === null ? 'its authorities are not known' : 'plain HTTP shows no certificate'
    const text = `clients are asked for a certificate, and ${why}: nobody gets in, 403`
    const outcome: ExplainedOutcome = { kind: 'refused', status: 403, location: null, text }
    return { kind, effect: 'answers', values, text, outcome }
  }
  const text = required
    ? 'clients need a certificate that its authorities have signed, others get 400'
    : 'a certificate that its authorities have not signed is answered 400; none is needed'
  return { kind, effect: 'depends', values, text }
}

function limits({
  requests,
  endpointRequests,
  queueLength,
  queueTimeout,
}: typeof standardUpstreamSettings.limits): Step {
  const values = { requests, endpointRequests, queueLength, queueTimeout }
  if (requests === 0 && endpointRequests === 0)
    return { kind: 'limits', effect: 'passes', values, text: 'any number of requests may be in flight' }
  const each = [
    requests > 0 ? `${requests} requests of the app` : null,
    endpointRequests > 0 ? `${endpointRequests} of an endpoint` : null,
  ].filter(part => part !== null)
  const text = `in a data thread ${each.join(' and ')} may be in flight; ${queueLength} wait up to ${queueTimeout} ms, others get 503`
  return { kind: 'limits', effect: 'depends', values, text }
}

function timeouts({ backend: { connectTimeout, idleTimeout } }: Route): Step {
  const text = `connecting may take ${connectTimeout} ms, and a silence ${idleTimeout} ms: then 504`
  return { kind: 'timeouts', effect: 'depends', values: { connectTimeout, idleTimeout }, text }
}
