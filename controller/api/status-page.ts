// `/`: the status page. Whoever comes sees what the platform is and whether its parts answer; who logs in sees the routes of
// his apps; an administrator sees all. It is a page and no part of the API: its cookie opens nothing but itself, and forms
// count only from the page itself, also where apps of tenants are on sibling hosts.

import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RouterStatus } from '#kit/router-status.ts'
import { refreshInterval, type StatusView, statusPage } from '#kit/status-page/page.ts'
import { version } from '#kit/version.ts'
import { Refusal } from '../domain/refusal.ts'
import type { User } from '../domain/user.ts'
import type { Parts } from '../parts.ts'
import type { AppLog } from '../reconcile/app-log.ts'
import type { RouterAdmin } from '../router-admin.ts'
import type { Store } from '../store/store.ts'
import { checkLogin, maxPassword } from './accounts.ts'
import type { LoginAttempts } from './attempts.ts'
import type { Authentication } from './authentication.ts'
import { appsOf, mostApps } from './explain.ts'
import { PageSessions, sessionLife } from './page-session.ts'
import type { Passwords } from './passwords.ts'
import { apiVersion } from './server.ts'

/** Octets of a form. */
const maxForm = 16 * 1024

export interface StatusSite {
  readonly store: Store
  readonly authentication: Authentication
  /** Those of the API: a guess is a guess. */
  readonly attempts: LoginAttempts
  readonly passwords: Passwords
  readonly router: RouterAdmin
  readonly parts: Parts
  readonly appLog: AppLog
}

export function addStatusPage(server: FastifyInstance, site: StatusSite): void {
  const sessions = new PageSessions(site.store)
  server.route({
    method: ['GET', 'HEAD'],
    url: '/',
    config: { name: '/' },
    handler: async (request, reply) => {
      const { user, notice } = await visitorOf(sessions, request)
      return await show(site, request, reply, user, notice)
    },
  })
  server.route({
    method: 'POST',
    url: '/',
    bodyLimit: maxForm,
    config: { name: '/' },
    handler: async (request, reply) => {
      if (!isOwnForm(request)) return await refuse(site, request, reply, 403, 'This form came from another site.')
      const form = formOf(request.body)
      const old = cookieOf(request)
      if (form.action === 'logout') {
        await sessions.end(old)
        return reply.header('set-cookie', cookieText(request, '', 0)).redirect('/', 303)
      }
      try {
        const user = await logIn(site, form, request.ip)
        await sessions.end(old)
        site.appLog.audit({ who: user.username, what: 'user.login', details: { page: true } })
        return reply
          .header('set-cookie', cookieText(request, await sessions.begin(user), sessionLife))
          .redirect('/', 303)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        if (error.retryAfter !== null) reply.header('retry-after', String(Math.ceil(error.retryAfter)))
        const [status, words] =
          error.kind === 'too-many' ? ([429, error.message] as const) : ([401, 'That is no login.'] as const)
        return await refuse(site, request, reply, status, words)
      }
    },
  })
}

type Form = Readonly<Record<string, string>>

function formOf(body: unknown): Form {
  const fields = typeof body === 'object' && body !== null ? Object.entries(body) : []
  return Object.fromEntries(fields.filter(([, value]) => typeof value === 'string' && isStorable(value)))
}

/** What a database can be asked for. */
function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

/** Throws a Refusal. */
async function logIn(site: StatusSite, form: Form, address: string): Promise<User> {
  const { authentication, attempts } = site
  const { action, username = '', password = '', token = '' } = form
  if (action === 'token') {
    // By its digest: guesses at one token must not keep out those who have another.
    const account = `token ${createHash('sha256').update(token).digest('hex')}`
    attempts.begin(account, address)
    const user = await authentication.ofToken(token)
    attempts.succeeded(account, address)
    return user
  }
  if (action !== 'login' || username === '' || username.length > 150 || password.length > maxPassword)
    throw new Refusal('illogical', 'no login')
  return await checkLogin(site, { username, password, address })
}

/** Whether a browser says that the page itself sent it; what says nothing of the kind is no browser, and has no cookie. */
function isOwnForm({ headers, host }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin') return false
  const { origin } = headers
  return origin === undefined || URL.parse(origin)?.host === host
}

async function visitorOf(
  sessions: PageSessions,
  request: FastifyRequest,
): Promise<{ readonly user: User | null; readonly notice: string | null }> {
  try {
    return { user: await sessions.user(cookieOf(request)), notice: null }
  } catch {
    return { user: null, notice: 'The database does not answer, so that nobody can be logged in.' }
  }
}

async function refuse(
  site: StatusSite,
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  notice: string,
): Promise<FastifyReply> {
  return await show(site, request, reply.code(status), null, notice)
}

async function show(
  site: StatusSite,
  request: FastifyRequest,
  reply: FastifyReply,
  user: User | null,
  notice: string | null,
): Promise<FastifyReply> {
  const query = new URL(request.url, 'http://deis').searchParams
  const seen = user === null ? null : await seenBy(site, user, query)
  const view: StatusView = {
    title: 'Deis Workflow',
    version: `${version}, API ${apiVersion}`,
    parts: await site.parts.look(),
    status: seen?.status ?? null,
    notice: notice ?? seen?.notice ?? null,
    person: user === null ? null : { username: user.username, isAdministrator: user.isSuperuser },
    login: user === null,
    // Who types a password shall not lose it.
    refresh: user === null || query.get('refresh') === 'off' ? null : refreshInterval,
  }
  const { body, headers } = statusPage(view)
  return reply
    .headers({ ...headers, vary: 'cookie' })
    .type('text/html; charset=utf-8')
    .send(body)
}

/** What the router tells of what is the user's. */
async function seenBy(
  { store, router }: StatusSite,
  user: User,
  query: URLSearchParams,
): Promise<{ readonly status: RouterStatus | null; readonly notice: string | null }> {
  const apps = user.isSuperuser ? null : await appsOf(store, user.username)
  try {
    const status = await router.status(query, apps, AbortSignal.timeout(10_000))
    const notice = apps?.length === mostApps ? `Only the first ${mostApps} of your apps are shown.` : null
    return { status, notice }
  } catch (error) {
    if (error instanceof Refusal) return { status: null, notice: error.message }
    throw error
  }
}

/** Over HTTPS no other host, and nothing in the clear, can set the cookie of this name. */
function cookieName({ protocol }: FastifyRequest): string {
  return protocol === 'https' ? '__Host-deis_status' : 'deis_status'
}

function cookieText(request: FastifyRequest, value: string, seconds: number): string {
  const secure = request.protocol === 'https' ? '; Secure' : ''
  return `${cookieName(request)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`
}

function cookieOf(request: FastifyRequest): string | null {
  const name = cookieName(request)
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const equals = pair.indexOf('=')
    if (equals >= 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return null
}
