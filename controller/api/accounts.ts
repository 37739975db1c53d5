// `/v2/auth/…`: users register, log in, change their password, renew their tokens and leave (controller contract,
// sections 2, 3 and 5).

import { z } from 'zod'
import { forbidden, mayActFor } from '../domain/access.ts'
import { parseEmail } from '../domain/email.ts'
import { readText } from '../domain/field.ts'
import { invalid, missing, Refusal } from '../domain/refusal.ts'
import type { User } from '../domain/user.ts'
import { parseUsername, usernameTaken } from '../domain/username.ts'
import type { AppLog } from '../reconcile/app-log.ts'
import { InUseError, type Store, TakenError } from '../store/store.ts'
import type { LoginAttempts } from './attempts.ts'
import { type Authentication, newToken, tokenHash } from './authentication.ts'
import { booleanField, rawField, readFields, textField } from './fields.ts'
import type { Passwords } from './passwords.ts'
import { type Call, type Caller, created, noContent, ok, operation, type Resource, resource } from './resource.ts'
import { showUser, userShape } from './shapes.ts'

export type RegistrationMode = 'enabled' | 'disabled' | 'admin_only'

/** Tokens of one user: the oldest make way. */
export const mostTokens = 100
export const maxPassword = 4096

const tokenShape = z.strictObject({ token: z.string() })

export interface AccountsOptions {
  readonly store: Store
  readonly authentication: Authentication
  readonly attempts: LoginAttempts
  readonly passwords: Passwords
  readonly appLog: AppLog
  readonly registration: RegistrationMode
}

export function accounts(options: AccountsOptions): readonly Resource[] {
  const { store, authentication, attempts, passwords, appLog } = options

  const register = operation({
    summary: 'Registers a user. The first one while there is no administrator becomes one.',
    body: z.object({
      username: rawField('At most 150 letters, digits and @/./+/-/_').optional(),
      password: rawField('Any text').optional(),
      email: rawField('May be empty').optional(),
      first_name: textField({ blank: true, most: 30 }).optional(),
      last_name: textField({ blank: true, most: 30 }).optional(),
    }),
    answers: { 201: userShape },
    handle: async (_context, _call, body) => {
      const { username, password, email } = readFields({
        username: () => parseUsername(body.username),
        password: () => readText('password', body.password, { most: maxPassword, trim: false }),
        email: () => parseEmail(body.email),
      })
      const passwordHash = await passwords.hash(password)
      try {
        const user = await store.users.create({
          username,
          passwordHash,
          email,
          firstName: body.first_name ?? '',
          lastName: body.last_name ?? '',
          superuserIfFirst: true,
        })
        appLog.audit({ who: username, what: 'user.register', details: { superuser: user.isSuperuser } })
        return created(showUser(user))
      } catch (error) {
        if (error instanceof TakenError) throw invalid('username', usernameTaken)
        throw error
      }
    },
  })

  const login = operation({
    summary: 'Makes a new token for a user.',
    body: z.object({ username: textField({ most: 1000 }), password: textField({ trim: false, most: maxPassword }) }),
    answers: { 200: tokenShape },
    handle: async (_context, call, { username, password }) => {
      await checkLogin(options, { username, password, address: call.address })
      const token = newToken()
      await store.tokens.add(username, tokenHash(token), mostTokens)
      await store.users.setLastLogin(username, new Date())
      appLog.audit({ who: username, what: 'user.login' })
      return ok({ token })
    },
  })

  const passwd = operation<
    Caller,
    z.ZodObject<{
      new_password: z.ZodOptional<ReturnType<typeof textField>>
      password: z.ZodOptional<ReturnType<typeof textField>>
      username: z.ZodOptional<ReturnType<typeof textField>>
    }>
  >({
    summary: "Changes a password: one's own, or as an administrator anybody's.",
    body: z.object({
      new_password: textField({ trim: false, most: maxPassword }).optional(),
      password: textField({ trim: false, most: maxPassword }).optional(),
      username: textField().optional(),
    }),
    answers: { 200: z.strictObject({ status: z.literal('password set') }) },
    handle: async ({ user }, call, body) => {
      if (body.new_password === undefined) throw new Refusal('illogical', 'new_password is a required field')
      const target = await targetOf(store, user, body.username)
      if (!user.isSuperuser) {
        if (body.password === undefined) throw new Refusal('illogical', 'password is a required field')
        attempts.begin(user.username, call.address)
        if (!(await passwords.check(body.password, await store.users.passwordHash(user.username))))
          throw new Refusal('unauthenticated', 'Current password does not match')
        attempts.succeeded(user.username, call.address)
      }
      await store.users.setPasswordHash(target.username, await passwords.hash(body.new_password))
      appLog.audit({ who: user.username, what: 'user.password', details: { user: target.username } })
      return ok({ status: 'password set' })
    },
  })

  const tokens = operation({
    summary: 'Ends all tokens of a user, and makes a new one; with `all` those of everybody.',
    body: z.object({ username: textField().optional(), all: booleanField().optional() }),
    answers: { 200: z.union([tokenShape, z.literal('')]) },
    handle: async ({ user }: Caller, _call, body) => {
      if ((body.all !== undefined || body.username !== undefined) && !user.isSuperuser) throw forbidden()
      if (body.all === true) {
        await store.tokens.clearAll()
        appLog.audit({ who: user.username, what: 'user.tokens', details: { all: true } })
        return ok('')
      }
      const target = await targetOf(store, user, body.username)
      const token = newToken()
      await store.transaction(async rows => {
        await rows.tokens.clear(target.username)
        await rows.tokens.add(target.username, tokenHash(token), mostTokens)
      })
      appLog.audit({ who: user.username, what: 'user.tokens', details: { user: target.username } })
      return ok({ token })
    },
  })

  const cancel = operation({
    summary: 'Removes a user.',
    body: z.object({ username: textField().optional() }),
    answers: { 204: null },
    handle: async ({ user }: Caller, _call, body) => {
      const target = await targetOf(store, user, body.username)
      const refusal = new Refusal(
        'conflict',
        `${target.username} still has applications assigned. Delete or transfer ownership`,
      )
      if ((await store.apps.ownedBy(target.username)) > 0) throw refusal
      try {
        await store.users.delete(target.username)
      } catch (error) {
        throw error instanceof InUseError ? refusal : error
      }
      appLog.audit({ who: user.username, what: 'user.cancel', details: { user: target.username } })
      return noContent
    },
  })

  const whoami = operation({
    summary: 'The user whose token this is.',
    answers: { 200: userShape },
    handle: async ({ user }: Caller) => ok(showUser(user)),
  })

  return [
    resource('/v2/auth/register', { scheme: null, admit: call => mayRegister(options, call) }, { POST: register }),
    resource('/v2/auth/login', authentication.anyone, { POST: login }, 'required'),
    resource('/v2/auth/passwd', authentication.anyUser, { POST: passwd }),
    resource('/v2/auth/tokens', authentication.anyUser, { POST: tokens }, 'required'),
    resource('/v2/auth/cancel', authentication.anyUser, { DELETE: cancel }),
    resource('/v2/auth/whoami', authentication.anyUser, { GET: whoami }),
  ]
}

interface Login {
  readonly username: string
  readonly password: string
  readonly address: string
}

/** Throws when name and password are not those of a user, or were not too often. */
export async function checkLogin(
  { store, attempts, passwords }: Pick<AccountsOptions, 'store' | 'attempts' | 'passwords'>,
  { username, password, address }: Login,
): Promise<User> {
  attempts.begin(username, address)
  const user = await store.users.find(username)
  const hash = user === null ? null : await store.users.passwordHash(username)
  if (!(await passwords.check(password, hash)) || user?.isActive !== true)
    throw invalid('non_field_errors', 'Unable to log in with provided credentials.')
  attempts.succeeded(username, address)
  return user
}

/** Controller contract, section 5: a token that is not good counts as none. */
async function mayRegister({ store, authentication, registration }: AccountsOptions, call: Call): Promise<null> {
  if (registration === 'enabled') return null
  if (registration === 'disabled') throw new Refusal('forbidden', 'Registration is disabled')
  if (!(await store.users.hasSuperuser())) return null
  const user = await authentication.user(call).catch(error => {
    if (error instanceof Refusal) return null
    throw error
  })
  if (user?.isSuperuser !== true) throw forbidden()
  return null
}

/** Whom a request is about: the caller, or for an administrator somebody else. */
async function targetOf(store: Store, caller: User, username: string | undefined): Promise<User> {
  if (username === undefined || username === caller.username) return caller
  if (!mayActFor(caller, username)) throw forbidden()
  const user = await store.users.find(username)
  if (user === null) throw missing('User')
  return user
}
