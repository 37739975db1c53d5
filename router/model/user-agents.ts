// User agents that are never answered compressed (`gzip.disable`, contract section 4). The expressions come from
// operators and the texts from clients, so the engine takes linear time and all of it is bounded.

import { RE2JS } from 're2js'

const maxExpressions = 16
const maxLength = 256
/** Instructions of one compiled expression. */
const maxProgram = 500
/** No more of a User-Agent is looked at. */
const maxText = 512
const maxCached = 256

/** Which user agents `gzip.disable` names, compiled once for each change of the settings. */
export class UserAgents {
  /** What is wrong with expressions that are left out: a sentence each. */
  readonly faults: readonly string[]
  readonly #msie6: boolean
  readonly #expressions: readonly RE2JS[]
  readonly #known = new Map<string, boolean>()

  /** `disable`: `msie6`, or expressions in RE2 syntax that match anywhere in a User-Agent, letters without case. */
  constructor(disable: readonly string[]) {
    const faults: string[] = []
    const expressions: RE2JS[] = []
    let msie6 = false
    for (const text of disable) {
      if (text === 'msie6') msie6 = true
      else if (expressions.length === maxExpressions) {
        faults.push(`expression "${shown(text)}" is left out: there are more than ${maxExpressions}`)
      } else {
        const expression = compile(text)
        if (typeof expression === 'string') faults.push(`expression "${shown(text)}" ${expression}`)
        else expressions.push(expression)
      }
    }
    this.faults = faults
    this.#msie6 = msie6
    this.#expressions = expressions
  }

  /** Empty: the request has no User-Agent, and nothing matches. */
  has(userAgent: string): boolean {
    if (userAgent === '') return false
    if (this.#msie6 && isMsie6(userAgent)) return true
    return this.#expressions.length > 0 && this.#matches(userAgent.slice(0, maxText))
  }

  #matches(userAgent: string): boolean {
    let known = this.#known.get(userAgent)
    if (known === undefined) {
      known = this.#expressions.some(expression => expression.matcher(userAgent).find())
      if (this.#known.size === maxCached) this.#known.clear()
      this.#known.set(userAgent, known)
    }
    return known
  }
}

/** Internet Explorer 4 to 6, but not version 6 with the service pack that mended it (`SV1`), as nginx tells them. */
function isMsie6(userAgent: string): boolean {
  const at = userAgent.indexOf('MSIE ')
  if (at < 0 || userAgent[at + 6] !== '.') return false
  const version = userAgent[at + 5]
  return version === '4' || version === '5' || (version === '6' && !userAgent.includes('SV1', at + 8))
}

/** The expression, or why it cannot be used. */
function compile(text: string): RE2JS | string {
  if (text.length > maxLength) return `is longer than ${maxLength} characters`
  try {
    const expression = RE2JS.compile(text, RE2JS.CASE_INSENSITIVE)
    return expression.programSize() <= maxProgram ? expression : 'is too complex'
  } catch (error) {
    return `does not compile: ${(error as Error).message.slice(0, 120)}`
  }
}

function shown(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`
}
