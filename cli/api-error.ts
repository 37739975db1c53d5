// How an answer that is no success reads: the texts that the original client makes of the controller's.

import { AnswerFault } from './fault.ts'

const blank = 'This field may not be blank.'
const username = 'Enter a valid username. This value may contain only letters, numbers and @/./+/-/_ characters.'
const hostname = 'Hostname does not look valid.'
const domainInUse = 'Domain is already in use by another application'
const nameRule = 'Can only contain a-z (lowercase), 0-9 and hyphens'
const appRule = 'App name can only contain a-z (lowercase), 0-9 and hyphens'

/** First that fits counts. `part`: the text need only be in there. */
const fields: readonly (readonly [field: string, known: readonly string[], match: 'whole' | 'part', shown: string])[] =
  [
    ['username', [blank, username], 'whole', username],
    ['username', ['A user with that username already exists.'], 'whole', 'A user with that username already exists.'],
    ['password', [blank], 'whole', 'A Password is required'],
    [
      'non_field_errors',
      ['Unable to log in with provided credentials.'],
      'whole',
      'Unable to log in with provided credentials.',
    ],
    ['id', [appRule], 'whole', appRule],
    ['id', ['Application with this id already exists.'], 'whole', 'Application with this id already exists.'],
    ['key', [blank], 'whole', 'A key is required'],
    ['key', ['Public Key is already in use'], 'whole', 'Public Key is already in use'],
    ['public', [blank, 'Key contains invalid base64 chars'], 'whole', 'A key is required'],
    ['certificate', [blank, 'Could not load certificate'], 'part', 'Could not load certificate'],
    ['name', [blank, nameRule], 'whole', `Name ${nameRule.toLowerCase()}`],
    ['domain', [hostname], 'whole', hostname],
    ['domain', [domainInUse], 'whole', domainInUse],
    ['image', [blank], 'whole', 'The given image is invalid'],
    ['id', [blank], 'whole', 'An id is required'],
    ['email', ['Enter a valid email address.'], 'whole', 'Enter a valid email address.'],
  ]

const details: readonly (readonly [known: string, shown: string])[] = [
  ['does not exist in application', 'Pod not found in application'],
  ['version cannot be below 0', 'The given version is invalid'],
  ['No nodes matched the provided labels', 'No nodes matched the provided labels'],
]

const ownsApps = 'still has applications assigned. Delete or transfer ownership'

export function answerFault(status: number, body: string): AnswerFault {
  return new AnswerFault(textOf(status, body), status, body)
}

function textOf(status: number, body: string): string {
  switch (status) {
    case 401:
      return 'Unauthorized: Missing or Invalid Token'
    case 403:
      return 'You do not have permission to perform this action.'
    case 404:
      return body === '' ? 'Not Found' : readable(body).trimEnd()
    case 405:
      return 'Method Not Allowed'
    case 507:
      return detailOf(body) ?? unknown(status, body)
    case 500:
      return 'Internal Server Error'
    case 400:
    case 409:
    case 422:
      return refusalText(status, body)
    default:
      return unknown(status, body)
  }
}

function detailOf(body: string): string | null {
  try {
    const { detail } = JSON.parse(body) as { readonly detail?: unknown }
    return typeof detail === 'string' ? detail : null
  } catch {
    return null
  }
}

function refusalText(status: 400 | 409 | 422, body: string): string {
  let answer: Record<string, unknown>
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new TypeError('not an object')
    answer = parsed as Record<string, unknown>
  } catch (error) {
    return unknown(status, `error decoding json response (${(error as Error).message}): ${body}`)
  }
  const detail = typeof answer.detail === 'string' ? answer.detail : null
  if (status === 422 && detail !== null) return `Unable to process your request: ${detail}`
  if (status === 409 && detail?.includes(ownsApps))
    return 'Failed to delete user because the user still has applications assigned. Delete or transfer ownership.'
  if (status === 400) {
    for (const [field, known, match, shown] of fields) {
      const said = answer[field]
      if (!Array.isArray(said)) continue
      if (known.some(one => said.some(text => (match === 'whole' ? text === one : String(text).includes(one)))))
        return shown
    }
    const fixed = details.find(([known]) => detail?.includes(known))
    if (fixed !== undefined) return fixed[1]
  }
  return unknown(status, body)
}

/** What the controller wrote as `\n` in JSON is a line end for people. */
function unknown(status: number, body: string): string {
  return `Unknown Error (${status}): ${readable(body).trimEnd().replaceAll('\\n', '\n')}`
}

function readable(body: string): string {
  return pageTitle.exec(body)?.[1] ?? body
}

/** Pages are of a proxy before the controller: people get the title. */
const pageTitle = /^\s*<(?:!doctype|html)\b[\s\S]{0,1000}?<title>([^<]{1,200})<\/title>/i

/** It was not the controller that answered. */
export function isPage(body: string): boolean {
  return pageTitle.test(body)
}
