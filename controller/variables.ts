// Variables of the environment that have no flag, and have been there in charts of Deis always.

import { type Environment, listOf } from '#kit/flag.ts'

/** An empty one counts as absent; a fault names the variable and not what it holds. */
export class Variables {
  readonly #env: Environment
  readonly #faults: string[]

  constructor(env: Environment, faults: string[]) {
    this.#env = env
    this.#faults = faults
  }

  text(name: string): string | null {
    return this.#env[name] || null
  }

  number(name: string, least: number, most: number): number | null {
    const text = this.text(name)
    if (text === null) return null
    const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (number >= least && number <= most) return number
    this.#faults.push(`${name} must be a whole number from ${least} to ${most}`)
    return null
  }

  flag(name: string, absent: boolean): boolean {
    const text = this.text(name)?.toLowerCase()
    if (text === undefined) return absent
    if (['true', '1', 'yes', 'on'].includes(text)) return true
    if (!['false', '0', 'no', 'off'].includes(text)) this.#faults.push(`${name} must be true or false`)
    return false
  }

  urls(name: string): readonly URL[] {
    return listOf(this.text(name) ?? '').flatMap(text => {
      const url = URL.parse(text)
      if (url !== null && /^https?:$/.test(url.protocol)) return [url]
      this.#faults.push(`${name} must be a list of URLs, with commas between them`)
      return []
    })
  }

  /** JSON. */
  object(name: string): Readonly<Record<string, unknown>> | null {
    const text = this.text(name)
    if (text === null) return null
    try {
      const value: unknown = JSON.parse(text)
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    } catch {
      // As what is no object.
    }
    this.#faults.push(`${name} must be a JSON object`)
    return null
  }

  /** JSON, with texts. */
  texts(name: string): Readonly<Record<string, string>> {
    const entries = Object.entries(this.object(name) ?? {})
    if (entries.some(([, value]) => typeof value !== 'string')) this.#faults.push(`${name} must hold texts only`)
    return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]))
  }
}
