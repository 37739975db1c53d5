// One thing that the doctor looked at.

export interface Check {
  readonly name: string
  readonly state: 'ok' | 'warn' | 'fail'
  /** What was found. */
  readonly found: string
  /** What to do, unless all is well. */
  readonly advice: string | null
}

export function ok(name: string, found: string): Check {
  return { name, state: 'ok', found, advice: null }
}

export function warn(name: string, found: string, advice: string): Check {
  return { name, state: 'warn', found, advice }
}

export function fail(name: string, found: string, advice: string): Check {
  return { name, state: 'fail', found, advice }
}
