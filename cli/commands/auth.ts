// Users and logins.

import { type Command, type Commands, jsonOption, type Option } from '../command.ts'
import type { Context } from '../context.ts'
import { type ControllerUrl, parseControllerUrl } from '../controller-url.ts'
import { AnswerFault, Fault } from '../fault.ts'
import { readProfile, removeProfile, writeProfile } from '../profile.ts'

const controllerArgument = {
  name: '<controller>',
  count: 'one',
  help: "the fully-qualified controller URI, e.g. 'http://deis.example.com/'",
} as const
const username: Option = { name: 'username', value: 'username', help: 'the username; asked for when not given.' }
const password: Option = { name: 'password', value: 'password', help: 'the password; asked for when not given.' }
const sslVerify: Option = {
  name: 'ssl-verify',
  value: 'true|false',
  absent: 'true',
  help: 'whether the certificate of the controller must be valid, now and later.',
}

const register: Command = {
  about: 'Registers a new user with a Deis controller.',
  positionals: [controllerArgument],
  options: [
    username,
    password,
    { name: 'email', value: 'email', help: 'the email address; asked for when not given.' },
    { name: 'login', value: 'true|false', absent: 'true', help: 'whether to log in as the new user.' },
    sslVerify,
  ],
  async run(context, args) {
    const { output, prompt } = context
    const controller = parseControllerUrl(args.at(0))
    const verify = isTrue('ssl-verify', args.text('ssl-verify'))
    const login = isTrue('login', args.text('login'))
    // One that is broken is the user's to mend: nobody writes over it, and nobody is registered before that is known.
    const known = await readProfile(context.profilePath)
    // Where only administrators may register others, it must be known who asks.
    const token = known !== null && known.controller.host === controller.host ? known.token : null
    const client = await context.clientOf({ controller, token, sslVerify: verify })
    await client.checkConnection()
    const name = args.text('username') ?? (await prompt.ask('username: '))
    const secret =
      args.text('password') ?? (await twice(context, 'password', 'Password mismatch, aborting registration.'))
    const email = args.text('email') ?? (await prompt.ask('email: '))
    await client
      .call('POST', '/auth/register/', { username: name, password: secret, email })
      .catch(prefixed('Registration failed: '))
    output.line(`Registered ${name}`)
    if (login) await logIn(context, controller, verify, name, secret)
  },
}

const login: Command = {
  about: 'Logs in by authenticating against a controller.',
  positionals: [controllerArgument],
  options: [username, password, sslVerify],
  async run(context, args) {
    const controller = parseControllerUrl(args.at(0))
    const verify = isTrue('ssl-verify', args.text('ssl-verify'))
    // As for `register`.
    await readProfile(context.profilePath)
    await logIn(context, controller, verify, args.text('username') ?? '', args.text('password') ?? '')
  },
}

async function logIn(
  context: Context,
  controller: ControllerUrl,
  verify: boolean,
  givenName: string,
  givenPassword: string,
): Promise<void> {
  const { output, prompt } = context
  const client = await context.clientOf({ controller, token: null, sslVerify: verify })
  await client.checkConnection()
  const name = givenName === '' ? await prompt.ask('username: ') : givenName
  const secret = givenPassword === '' ? await prompt.askSecretly('password: ') : givenPassword
  const { token } = await client.post('/auth/login/', { username: name, password: secret })
  if (typeof token !== 'string') throw new Fault('The answer is not that of a Deis controller')
  await writeProfile(context.profilePath, { username: name, sslVerify: verify, controller, token, responseLimit: 0 })
  output.line(`Logged in as ${name}`)
  output.line(`Configuration file written to ${context.profilePath}`)
}

const logout: Command = {
  about: 'Logs out from a controller and clears the user session.',
  async run(context) {
    // One that is broken may be something else, under the name of a profile.
    await readProfile(context.profilePath)
    await removeProfile(context.profilePath)
    context.output.line('Logged out')
  },
}

const passwd: Command = {
  about: 'Changes the password for the current user.',
  options: [
    { ...password, help: 'the current password; asked for when not given.' },
    { name: 'new-password', value: 'new-password', help: 'the new password; asked for twice when not given.' },
    { ...username, help: "the account's username, when it is not your own." },
  ],
  async run(context, args) {
    const { output, prompt } = context
    const client = await context.client()
    const name = args.text('username') ?? ''
    const given = args.text('password') ?? ''
    const current = given === '' && name === '' ? await prompt.askSecretly('current password: ') : given
    const fresh =
      args.text('new-password') ?? (await twice(context, 'new password', 'Password mismatch, not changing.'))
    await client
      .call('POST', '/auth/passwd/', {
        ...(name === '' ? {} : { username: name }),
        ...(current === '' ? {} : { password: current }),
        new_password: fresh,
      })
      .catch(prefixed('Password change failed: ', ['Is the current password right?']))
    output.line('Password change succeeded.')
  },
}

const whoami: Command = {
  about: 'Displays the currently logged in user.',
  options: [{ name: 'all', help: 'fetch a more detailed description about the user.' }, jsonOption],
  async run(context, args) {
    const { output } = context
    const { username: name, controller } = await context.profile()
    if (!args.flag('all')) {
      if (args.flag('json')) output.json({ username: name, controller: controller.href })
      else output.line(`You are ${name} at ${controller.href}`)
      return
    }
    const user = await (await context.client()).get('/auth/whoami/')
    if (args.flag('json')) return output.json(user)
    const text = (field: string): string => String(user[field] ?? '')
    output.lines([
      // The API tells none.
      `ID: ${user.id ?? 0}`,
      `Username: ${text('username')}`,
      `Email: ${text('email')}`,
      `First Name: ${text('first_name')}`,
      `Last Name: ${text('last_name')}`,
      `Last Login: ${text('last_login')}`,
      `Is Superuser: ${text('is_superuser')}`,
      `Is Staff: ${text('is_staff')}`,
      `Is Active: ${text('is_active')}`,
      `Date Joined: ${text('date_joined')}`,
    ])
  },
}

const cancel: Command = {
  about: 'Cancels and removes the current account.',
  options: [
    { ...username, help: "the account's username, when it is not your own." },
    password,
    { name: 'yes', help: "force 'yes' when prompted." },
  ],
  async run(context, args) {
    const { output, prompt } = context
    const { controller, sslVerify: verify } = await context.profile()
    const given = args.text('username') ?? ''
    const secret = args.text('password') ?? ''
    if (given === '' || secret !== '') {
      output.line('Please log in again in order to cancel this account')
      await logIn(context, controller, verify, given, secret)
    }
    // The login may have been somebody else's.
    const profile = await readProfile(context.profilePath)
    if (profile === null) throw new Fault(`The profile ${context.profilePath} is gone`)
    const name = given === '' ? profile.username : given
    if (!args.flag('yes')) {
      const answer = await prompt.ask(`cancel account ${name} at ${controller.href}? (y/N): `)
      if (answer.toLowerCase() !== 'y') {
        output.printError('Account not changed\n')
        return
      }
    }
    const body = given === '' ? undefined : { username: given }
    await (await context.clientOf(profile)).call('DELETE', '/auth/cancel/', body)
    if (name === profile.username) await removeProfile(context.profilePath)
    output.line('Account cancelled')
  },
}

const regenerate: Command = {
  about: 'Regenerates auth token, defaults to regenerating the token of the current user.',
  options: [
    { ...username, short: 'u', help: 'specify user to regenerate. Requires admin privileges.' },
    { name: 'all', help: 'regenerate token for every user. Requires admin privileges.' },
  ],
  async run(context, args) {
    const client = await context.client()
    const name = args.text('username')
    const all = args.flag('all')
    if (name !== null || all) await client.call('POST', '/auth/tokens/', all ? { all: true } : { username: name })
    else {
      const { token } = await client.post('/auth/tokens/')
      if (typeof token !== 'string') throw new Fault('The answer is not that of a Deis controller')
      await writeProfile(context.profilePath, { ...(await context.profile()), token })
    }
    context.output.line('Token Regenerated')
  },
}

async function twice({ prompt }: Context, what: string, mismatch: string): Promise<string> {
  const first = await prompt.askSecretly(`${what}: `)
  if (first !== (await prompt.askSecretly(`${what} (confirm): `))) throw new Fault(mismatch)
  return first
}

function isTrue(option: string, text: string | null): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw new Fault(`--${option} must be true or false, not ${JSON.stringify(text)}`)
}

/** `unauthorized`: what a 401 may mean there. */
function prefixed(prefix: string, unauthorized: readonly string[] = []): (error: unknown) => never {
  return error => {
    if (!(error instanceof Fault)) throw error
    const hints = error instanceof AnswerFault && error.status === 401 ? unauthorized : error.hints
    throw new Fault(error.message, { hints, prefix, cause: error })
  }
}

export const commands: Commands = { register, login, logout, passwd, whoami, cancel, regenerate }
