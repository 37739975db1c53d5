// Names below the platform domain: `shop.PLATFORM` is the app `shop`, whether or not there is one. Without this rule a
// tenant could ask for the name of somebody else's app, and who of the two has it would be for the router to decide.

import type { AppId } from './app.ts'
import { invalid, type Refusal } from './refusal.ts'
import { wildcardEnd } from './wildcard.ts'

/** `domain` as `parseDomain` gives it; `platform` in lower case, null: not known. */
export function isPlatformNameOfOthers(domain: string, app: AppId, platform: string | null): boolean {
  const name = domain.toLowerCase()
  // Without a dot a name is below the platform domain too.
  if (!name.includes('.')) return name !== app
  if (platform === null) return false
  if (name === platform || (name.endsWith(`.${platform}`) && name !== `${app}.${platform}`)) return true
  // One further up has the names of all apps that are yet to come.
  const end = wildcardEnd(name)
  return end !== null && platform.endsWith(end)
}

/** Whether a name is one of those that go by the app's own, whatever else there is. */
export function isPlatformName(domain: string, platform: string | null): boolean {
  const name = domain.toLowerCase()
  return !name.includes('.') || (platform !== null && (name === platform || name.endsWith(`.${platform}`)))
}

export function platformNameTaken(domain: string): Refusal {
  return invalid('domain', `The domain ${domain} belongs to the platform: only an administrator can add it`)
}
