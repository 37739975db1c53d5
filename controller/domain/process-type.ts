// Names of process types: `web`, `worker`, `cmd` (controller contract, section 5, Builds).

/** Longest: it is the value of a label. */
const longest = 63

export const processTypeFault = 'Process types can only contain lowercase alphanumeric characters'

export function isProcessType(name: string): boolean {
  return name.length <= longest && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)
}

/** The types that requests are routed to, the first of them that there is. */
export const routedTypes: readonly string[] = ['web', 'cmd']

/** Stands in health checks for whichever type is routed to. */
export const routedPseudoType = 'web/cmd'

export function isRouted(type: string): boolean {
  return routedTypes.includes(type)
}
