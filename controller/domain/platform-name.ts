// Names below the platform domain: `shop.PLATFORM` is the app `shop`, whether or not there is one. Without this rule a
// tenant could ask for the name of somebody else's app, and who of the two has it would be for the router to decide.

import type { AppId } from './app.ts'
import { invalid, type Refusal } from './refusal.ts'

/** `domain` as `parseDomain` gives it; `platform` in lower case, null: not known. */
export function isPlatformNameOfOthers(domain: string, app: AppId, platform: string | null): boolean {
  const name = domain.toLowerCase()
  // Without a dot a name is below the platform domain too.
  if (!name.includes('.')) return name !== app
  if (platform === null) return false
  return name === platform || (name.endsWith(`.${platform}`) && name !== `${app}.${platform}`)
}

export function platformNameTaken(domain: string): Refusal {
  return invalid('domain', `The domain ${domain} belongs to the platform: only an administrator can add it`)
}
