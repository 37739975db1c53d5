// Reads annotations by a table in which key, parser, default and effect stand side by side. A bad value costs its own
// key only (contract section 3); a key that somebody set and that does nothing here says so.

import type { ObjectRef, Problem } from '../model/problem.ts'
import { type Parser, quote } from './annotation.ts'

/** Why a valid value changes nothing; null: it is in force. */
export type Effect = Pick<Problem, 'severity' | 'message'> & {
  readonly code: 'annotation-without-effect' | 'not-enforced'
}

export const inForce: Effect | null = null

/** Section 16: nothing here corresponds to it. */
export const nginxOnly: Effect = {
  code: 'annotation-without-effect',
  severity: 'warning',
  message: 'tunes nginx and means nothing to this router',
}

/** The router's behaviour leaves open what the key is meant to close. */
export const unprotected: Effect = {
  code: 'not-enforced',
  severity: 'error',
  message: 'is NOT ENFORCED by this version: requests that it should stop get through',
}

export interface Row<T> {
  readonly parse: Parser<T>
  readonly standard: T
  /** The default as the contract writes it. */
  readonly shown: string
  readonly effect: Effect | null
  /** Values of a key without effect that ask for what the router does anyway. */
  readonly asIs: readonly T[]
  /** How bad a bad value is. */
  readonly severity: Problem['severity']
  /** What holds instead of a bad value, and how a complaint says so. */
  readonly spoilt: T
  readonly instead: string
}

function stays(shown: string): string {
  return `the default stays: ${shown === '' ? 'empty' : shown}`
}

/** A key with a default. Throws at load time when the default is no value of the key's own type. */
export function row<T>(parse: Parser<T>, shown: string, effect: Effect | null, ...asIs: readonly T[]): Row<T> {
  const standard = parse(shown)
  if (standard.kind === 'bad') throw new TypeError(`default ${JSON.stringify(shown)} ${standard.reason}`)
  const { value } = standard
  const severity = effect?.severity ?? 'warning'
  return { parse, standard: value, shown, effect, asIs, severity, spoilt: value, instead: stays(shown) }
}

/** A key that is null until somebody sets it; `shown` says what holds then. */
export function optional<T>(parse: Parser<T>, shown: string, effect: Effect | null, ...asIs: T[]): Row<T | null> {
  const severity = effect?.severity ?? 'warning'
  return { parse, standard: null, shown, effect, asIs, severity, spoilt: null, instead: stays(shown) }
}

/** A row whose bad value takes something out of service. */
export function grave<T>(row: Row<T>): Row<T> {
  return { ...row, severity: 'error' }
}

/** A row that protects something: `bound` holds instead of a bad value, not the default, which may protect nothing. */
export function strict<T>(row: Row<T>, bound: string): Row<T> {
  const parsed = row.parse(bound)
  if (parsed.kind === 'bad') throw new TypeError(`bound ${JSON.stringify(bound)} ${parsed.reason}`)
  return { ...row, severity: 'error', spoilt: parsed.value, instead: `it is taken for ${bound}` }
}

export type Rows = Readonly<Record<string, Row<unknown>>>
type Values<R extends Rows> = { readonly [K in keyof R]: R[K] extends Row<infer T> ? T : never }

/** Keys that once meant something, each with what to do instead. */
export type RetiredKeys = Readonly<Record<string, string>>

export type Annotations = Readonly<Record<string, string>>

export interface Reading<R extends Rows> {
  readonly values: Values<R>
  readonly problems: readonly Problem[]
}

/** The text of one annotation, or null when it is not set. */
export function annotation(annotations: Annotations, key: string): string | null {
  return Object.hasOwn(annotations, key) ? annotations[key]! : null
}

/** Reads every key of `rows` below `prefix`. Keys outside the table are somebody else's and are not looked at. */
export function readTable<R extends Rows>(
  rows: R,
  retired: RetiredKeys,
  prefix: string,
  annotations: Annotations,
  object: ObjectRef,
): Reading<R> {
  const values: Record<string, unknown> = {}
  const problems: Problem[] = []
  for (const [name, row] of Object.entries<Row<unknown>>(rows)) {
    const { parse, standard, effect, asIs, severity, spoilt, instead } = row
    values[name] = standard
    const key = prefix + name
    const raw = annotation(annotations, key)
    if (raw === null) continue
    const parsed = parse(raw)
    if (parsed.kind === 'bad') {
      values[name] = spoilt
      const message = `${key}: ${quote(raw)} ${parsed.reason}; ${instead}`
      problems.push({ code: 'invalid-annotation', severity, object, message })
      continue
    }
    values[name] = parsed.value
    if (effect === null || asIs.includes(parsed.value)) continue
    problems.push({ ...effect, object, message: `${key}: ${quote(raw)} ${effect.message}` })
  }
  for (const [name, instead] of Object.entries(retired)) {
    const key = prefix + name
    if (annotation(annotations, key) === null) continue
    const message = `${key} is retired and has no effect${instead === '' ? '' : `; ${instead}`}`
    problems.push({ code: 'annotation-without-effect', severity: 'warning', object, message })
  }
  return { values: values as Values<R>, problems }
}
