// A partial config merged into the current one, key by key (controller contract, section 5, Config).

import type { ConfigMaps } from './config.ts'
import { type ConfigChanges, configMapNames, diffConfigs, isUnchanged } from './config-diff.ts'
import { isConfigKey, keyFault, valueFault } from './environment-values.ts'
import { mergeProbes, moveFormerVariables, type ProbeChanges, parseProbeChanges } from './healthcheck.ts'
import { type JsonMap, readBody, readMap, textOfValue } from './json-map.ts'
import { cpuFault, isCpuLimit, isMemoryLimit, memoryFault } from './limits.ts'
import { isProcessType, processTypeFault } from './process-type.ts'
import { type FieldFaults, Refusal } from './refusal.ts'
import { tagFault } from './tags.ts'

/** Octets of a whole config as JSON: a Secret holds no more than a mebibyte. */
const mostOctets = 1_000_000

export interface MergedConfig {
  readonly config: ConfigMaps
  readonly changes: ConfigChanges
}

export interface MergeOptions {
  /** Whose change it is. */
  readonly user: string
  /** The tags of apps without any. */
  readonly defaultTags?: Readonly<Record<string, string>>
}

type TextMapName = Exclude<(typeof configMapNames)[number], 'healthcheck'>

/** The order in which a missing key is reported. */
const textMapNames: readonly TextMapName[] = ['cpu', 'memory', 'tags', 'registry', 'values']

/** What is wrong with an entry; null when nothing is. */
const entryFaults: Readonly<Record<TextMapName, (key: string, value: string) => string | null>> = {
  values: valueFault,
  memory: (type, value) => (isProcessType(type) ? (isMemoryLimit(value) ? null : memoryFault) : processTypeFault),
  cpu: (type, value) => (isProcessType(type) ? (isCpuLimit(value) ? null : cpuFault) : processTypeFault),
  tags: tagFault,
  registry: key => (isConfigKey(key) ? null : keyFault),
}

/** Key → text; null: removed. */
type TextChanges = ReadonlyMap<string, string | null>

/** Returns what is wrong instead when something is. */
function parseTexts(name: TextMapName, map: JsonMap): TextChanges | string {
  const texts = new Map<string, string | null>()
  for (const [given, value] of map) {
    const key = name === 'registry' ? given.toLowerCase() : given
    const text = value === null ? null : textOfValue(value)
    if (text === null && value !== null) return `The value of ${key} is no text that can be kept`
    const fault = text === null ? null : entryFaults[name](key, text)
    if (fault !== null) return fault
    texts.set(key, text)
  }
  return texts
}

function mergeTexts(
  name: TextMapName,
  current: Readonly<Record<string, string>>,
  changes: TextChanges,
): Map<string, string> {
  const merged = new Map(Object.entries(current))
  for (const [key, text] of changes) {
    if (text !== null) merged.set(key, text)
    else if (!merged.delete(key)) throw new Refusal('absent', `${key} does not exist under ${name}`)
  }
  return merged
}

/** Reads each map of the body, and reports the faults of all of them together. */
function parse(change: unknown) {
  const body = readBody(change)
  const faults: [string, readonly string[]][] = []
  const read = <T extends object>(name: string, parseMap: (map: JsonMap) => T | string, none: T): T => {
    try {
      const map = readMap(name, Object.hasOwn(body, name) ? body[name] : undefined)
      const parsed = map === null ? none : parseMap(map)
      if (typeof parsed !== 'string') return parsed
      faults.push([name, [parsed]])
    } catch (error) {
      if (!(error instanceof Refusal) || error.fields === null) throw error
      faults.push(...Object.entries(error.fields))
    }
    return none
  }
  const texts = new Map(
    textMapNames.map(name => [name, read<TextChanges>(name, map => parseTexts(name, map), new Map())]),
  )
  const probes = read<ProbeChanges>('healthcheck', parseProbeChanges, new Map())
  if (faults.length > 0) {
    const fields: FieldFaults = Object.fromEntries(faults)
    throw new Refusal('invalid', faults.map(([name, messages]) => `${name}: ${messages.join(' ')}`).join(' '), {
      fields,
    })
  }
  return { texts, probes }
}

/** Whether the nodes have its tags is for the caller to ask. */
export function mergeConfig(
  current: ConfigMaps,
  change: unknown,
  { user, defaultTags = {} }: MergeOptions,
): MergedConfig {
  const { texts, probes } = parse(change)
  const merge = (name: TextMapName): Map<string, string> => mergeTexts(name, current[name], texts.get(name)!)
  const cpu = merge('cpu')
  const memory = merge('memory')
  const tags = merge('tags')
  const registry = merge('registry')
  const values = merge('values')
  const merged = mergeProbes(new Map(Object.entries(current.healthcheck)), probes)
  const healthcheck = moveFormerVariables(values, merged)
  if (registry.size > 0 && !values.has('PORT')) throw portNeeded()
  const config: ConfigMaps = {
    // Each key becomes an own property, whatever it is called.
    values: Object.fromEntries(values),
    memory: Object.fromEntries(memory),
    cpu: Object.fromEntries(cpu),
    tags: tags.size > 0 ? Object.fromEntries(tags) : { ...defaultTags },
    registry: Object.fromEntries(registry),
    healthcheck: Object.fromEntries(healthcheck),
  }
  if (Buffer.byteLength(JSON.stringify(config)) > mostOctets) {
    throw new Refusal('illogical', `The config of an app can have at most ${mostOctets} octets in all`)
  }
  const changes = diffConfigs(current, config)
  if (configMapNames.every(name => isUnchanged(changes[name]))) {
    throw new Refusal('conflict', `${user} changed nothing - release stopped`)
  }
  return { config, changes }
}

/** What such a registry's images expose is not known. */
export function portNeeded(): Refusal {
  return new Refusal('illogical', 'PORT needs to be set in the config when using a private registry')
}
