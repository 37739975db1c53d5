// One metric of `/metrics`: its values are read when they are asked for.

export interface Metric {
  /** Without the prefix that all have. */
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly read: () => readonly Sample[]
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export function single(name: string, type: Metric['type'], help: string, read: () => number): Metric {
  return { name, type, help, read: () => [{ labels: {}, value: read() }] }
}
