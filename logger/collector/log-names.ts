// Names in the directory of a container: `N.log` is what its Nth start writes now, `N.log.TIME` was that until the kubelet
// rotated it. What is compressed, or of anything else, is not read. Pure.

export interface LogName {
  /** How often the container had been started again. */
  readonly start: number
  /** When it was rotated; null: it is written to. */
  readonly rotated: string | null
}

export function parseLogName(name: string): LogName | null {
  const match = /^([0-9]{1,9})\.log(?:\.([0-9]{8}-[0-9]{6}))?$/.exec(name)
  return match === null ? null : { start: Number(match[1]), rotated: match[2] ?? null }
}

/** In the order in which they were written. */
export function compareLogNames(a: LogName, b: LogName): number {
  if (a.start !== b.start) return a.start - b.start
  if (a.rotated === b.rotated) return 0
  if (a.rotated === null) return 1
  if (b.rotated === null) return -1
  return a.rotated < b.rotated ? -1 : 1
}
