// Limits of memory and CPU by process type: `LIMIT` or `REQUEST/LIMIT` (controller contract, section 5, Config), and what
// Kubernetes calls them (section 8).

import type { ConfigMaps } from './config.ts'
import { own } from './json-map.ts'

export const memoryFault =
  'Memory limit format: <number><unit> or <number><unit>/<number><unit>, where unit = B, K, M or G'
export const cpuFault = 'CPU limit format: <value> or <value>/<value>, where value must be a numeric'

/** Far more than any machine has, and few enough digits for Kubernetes. */
const longest = 40

const memoryPattern = /^(?:\d+(?:[KMG]B|[BKMG])|0)(?:\/\d+(?:[KMG]B|[BKMG]))?$/i
const cpuPattern = /^\+?(?:\d+|\d*\.\d+)m?(?:\/\+?(?:\d+|\d*\.\d+)m?)?$/

/** No limit can be less than nothing, or than what is requested: no node would ever take it. */
export function isMemoryLimit(text: string): boolean {
  return text.length <= longest && memoryPattern.test(text) && isOrdered(text, bytesOf)
}

export function isCpuLimit(text: string): boolean {
  return text.length <= longest && cpuPattern.test(text) && isOrdered(text, coresOf)
}

function isOrdered(text: string, amountOf: (part: string) => number): boolean {
  const [first, second] = text.split('/')
  return second === undefined || amountOf(first!) <= amountOf(second)
}

const factors: Readonly<Record<string, number>> = { B: 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/** `64M` in bytes. */
export function bytesOf(part: string): number {
  const [, digits, unit] = /^(\d+)([BKMG]?)B?$/i.exec(part)!
  return Number(digits) * factors[(unit || 'B').toUpperCase()]!
}

/** `500m` in cores. */
export function coresOf(part: string): number {
  return part.endsWith('m') ? Number(part.slice(0, -1)) / 1000 : Number(part)
}

/** `64M`, `64MB` → `64Mi`; `10B` → `10`. */
function memoryQuantity(part: string): string {
  const [, digits, unit] = /^(\d+)([BKMG]?)B?$/i.exec(part)!
  return unit === '' || unit!.toUpperCase() === 'B' ? digits! : `${digits}${unit!.toUpperCase()}i`
}

export interface Quantities {
  readonly memory?: string
  readonly cpu?: string
}

export interface Resources {
  readonly requests: Quantities
  readonly limits: Quantities
}

interface Split {
  readonly request: string | null
  readonly limit: string | null
}

function split(text: string | undefined): Split {
  if (text === undefined) return { request: null, limit: null }
  const slash = text.indexOf('/')
  return slash < 0 ? { request: null, limit: text } : { request: text.slice(0, slash), limit: text.slice(slash + 1) }
}

/** What a process type may use, as Kubernetes quantities. */
export function resourcesOf(config: Pick<ConfigMaps, 'memory' | 'cpu'>, type: string): Resources {
  const memory = split(own(config.memory, type))
  const cpu = split(own(config.cpu, type))
  const quantities = (kind: keyof Split): Quantities => ({
    ...(memory[kind] === null ? {} : { memory: memoryQuantity(memory[kind]) }),
    ...(cpu[kind] === null ? {} : { cpu: cpu[kind] }),
  })
  return { requests: quantities('request'), limits: quantities('limit') }
}

/** Bytes that a process of this type may use; null: as many as there are. */
export function memoryLimitOf(config: Pick<ConfigMaps, 'memory'>, type: string): number | null {
  const { limit } = split(own(config.memory, type))
  return limit === null ? null : bytesOf(limit)
}
