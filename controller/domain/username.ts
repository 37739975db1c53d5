// Names of users (controller contract, section 5, Users).

import { readText } from './field.ts'
import { invalid } from './refusal.ts'

const longest = 150

/** No user: what the first controller called those who are not logged in. It may not be registered. */
const nobody = 'AnonymousUser'

export const usernameTaken = 'A user with that username already exists.'

export function parseUsername(raw: unknown): string {
  const name = readText('username', raw, { most: longest })
  if (!/^[\p{L}\p{N}_.@+-]+$/u.test(name)) {
    throw invalid(
      'username',
      'Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.',
    )
  }
  if (name === nobody) throw invalid('username', usernameTaken)
  return name
}
