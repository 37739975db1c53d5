import { expect, test } from 'vitest'
import { answerFault } from './api-error.ts'

const blank = ['This field may not be blank.']
const rows: readonly [status: number, body: unknown, text: string][] = [
  [
    400,
    { username: blank },
    'Enter a valid username. This value may contain only letters, numbers and @/./+/-/_ characters.',
  ],
  [400, { username: ['A user with that username already exists.'] }, 'A user with that username already exists.'],
  [400, { password: blank }, 'A Password is required'],
  [400, { key: blank }, 'A key is required'],
  [400, { image: blank }, 'The given image is invalid'],
  [400, { id: blank }, 'An id is required'],
  [
    400,
    { non_field_errors: ['Unable to log in with provided credentials.'] },
    'Unable to log in with provided credentials.',
  ],
  [400, { id: ['Application with this id already exists.'] }, 'Application with this id already exists.'],
  [400, { public: ['Key contains invalid base64 chars'] }, 'A key is required'],
  [400, { certificate: ['Could not load certificate: no PEM'] }, 'Could not load certificate'],
  [
    400,
    { name: ['Can only contain a-z (lowercase), 0-9 and hyphens'] },
    'Name can only contain a-z (lowercase), 0-9 and hyphens',
  ],
  [400, { domain: ['Hostname does not look valid.'] }, 'Hostname does not look valid.'],
  [
    400,
    { domain: ['Domain is already in use by another application'] },
    'Domain is already in use by another application',
  ],
  [400, { email: ['Enter a valid email address.'] }, 'Enter a valid email address.'],
  [400, { detail: 'version cannot be below 0' }, 'The given version is invalid'],
  [400, { detail: 'No nodes matched the provided labels: a=b' }, 'No nodes matched the provided labels'],
  [400, { detail: 'else' }, 'Unknown Error (400): {"detail":"else"}'],
  [400, { detail: 'one\ntwo' }, 'Unknown Error (400): {"detail":"one\ntwo"}'],
  [409, { detail: 'u changed nothing' }, 'Unknown Error (409): {"detail":"u changed nothing"}'],
  [
    409,
    { detail: 'u still has applications assigned. Delete or transfer ownership' },
    'Failed to delete user because the user still has applications assigned. Delete or transfer ownership.',
  ],
  [401, { detail: 'Invalid token.' }, 'Unauthorized: Missing or Invalid Token'],
  [403, { detail: 'x' }, 'You do not have permission to perform this action.'],
  [404, 'No App matches the given query.', '"No App matches the given query."'],
  [405, { detail: 'x' }, 'Method Not Allowed'],
  [422, { detail: 'A does not exist under values' }, 'Unable to process your request: A does not exist under values'],
  [500, { detail: 'Server Error' }, 'Internal Server Error'],
  [507, { detail: 'The disk is full.' }, 'The disk is full.'],
  [507, 'x', 'Unknown Error (507): "x"'],
  [503, { detail: '(scale): x' }, 'Unknown Error (503): {"detail":"(scale): x"}'],
]
test.each(rows)('%i %j', (status, body, text) => {
  expect(answerFault(status, JSON.stringify(body)).message).toBe(text)
})

test('an empty 404', () => expect(answerFault(404, '').message).toBe('Not Found'))

test.each([
  [404, '404 Not Found', '404 Not Found'],
  [502, '502 Bad Gateway', 'Unknown Error (502): 502 Bad Gateway'],
  [503, '503 Service Unavailable', 'Unknown Error (503): 503 Service Unavailable'],
])('the page of a router that has no controller to ask: %i', (status, title, text) => {
  const page = `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`
  expect(answerFault(status, page).message).toBe(text)
})

test.each(['[]', 'no JSON', '"text"', 'null'])('a refusal that is no object: %s', body => {
  expect(answerFault(400, body).message).toMatch(/^Unknown Error \(400\): error decoding json response \(/)
})
