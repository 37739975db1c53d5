// What a rule refuses, as tests compare it: the kind and the texts.

import { Refusal } from '../refusal.ts'

/** `invalid` by its fields, all others by kind and message; `accepted` when nothing was refused. */
export function refused(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return error.fields ?? { [error.kind]: error.message }
  }
  return 'accepted'
}
