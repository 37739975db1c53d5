// Wildcards and the names below them, at any depth, as the router serves them: `*.example.com` answers for
// `www.example.com` and for `a.b.example.com`, not for `example.com` itself. Two that come together belong to apps of the
// same people: a wildcard would get the requests of every name that somebody is about to use, and a name would get some of
// those that a wildcard has.

import { quoted } from './field.ts'
import { invalid, type Refusal } from './refusal.ts'

/** What a wildcard's names end with, `.example.com`; null for a name. In lower case. */
export function wildcardEnd(domain: string): string | null {
  return domain.startsWith('*.') ? domain.slice(1).toLowerCase() : null
}

/** The wildcards that a domain, which may be one itself, lies below. In lower case; as many as it has dots, about. */
export function wildcardsOver(domain: string): readonly string[] {
  const labels = domain.toLowerCase().split('.')
  // A wildcard has two labels at least, and none lies below itself.
  const first = labels[0] === '*' ? 2 : 1
  return labels.slice(first, -1).map((_, index) => `*.${labels.slice(first + index).join('.')}`)
}

/** The same for all that come together: a wildcard has two labels at least, and what lies below it ends with them. */
export function neighbourhoodOf(domain: string): string {
  return domain.toLowerCase().split('.').slice(-2).join('.')
}

/** Does not name the other one: who asks for a wildcard would learn what others have. */
export function overlapsOthers(given: string): Refusal {
  return invalid(
    'domain',
    `The domain ${quoted(given)} is already in use by another app: it lies below a wildcard of somebody else's app, ` +
      'or has names of one below it. Who may use that app, or an administrator, can add it',
  )
}
