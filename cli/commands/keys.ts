// SSH keys that may push.

import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { compareText } from '#kit/compare-text.ts'
import { segment } from '../client.ts'
import { type Command, type Commands, jsonOption, limitOption } from '../command.ts'
import type { Context } from '../context.ts'
import { Fault, reasonOf } from '../fault.ts'
import { columnLines, shareText } from '../output/aligned.ts'
import { homeOf } from '../profile.ts'

interface Key {
  readonly id: string
  readonly public: string
}

const list: Command = {
  about: 'Lists SSH keys for the logged in user.',
  options: [limitOption, jsonOption],
  async run(context, args) {
    const { output } = context
    const { username } = await context.profile()
    const keys = await context.page<Key>('/keys/', args)
    if (args.flag('json')) return output.json(keys)
    output.line(`=== ${username} Keys${shareText(keys.results.length, keys.count)}`)
    output.lines(
      columnLines(
        keys.results.map(({ id, public: text }) => [id, `${text.slice(0, 16)}...${text.slice(-10)}`]),
        1,
      ),
    )
  },
}

const add: Command = {
  about: 'Adds SSH keys for the logged in user.',
  positionals: [
    { name: '<name>', count: 'optional', help: 'name of the SSH key.' },
    {
      name: '<key>',
      count: 'optional',
      help: 'a local file path to an SSH public key used to push application code; asked for when not given.',
    },
  ],
  async run(context, args) {
    const { output } = context
    const client = await context.client()
    const key = await chosenKey(context, args.at(0), args.at(1))
    output.print(`Uploading ${basename(key.file)} to deis... `)
    await output.progress(client.post('/keys/', { id: key.id, public: key.public }))
    output.line('done')
  },
}

interface KeyFile extends Key {
  readonly file: string
}

async function chosenKey(context: Context, name: string, file: string): Promise<KeyFile> {
  const { directory } = context.around
  if (file !== '') return { ...(await readKey(resolve(directory, file))), id: name }
  // A single argument is the file, when there is one.
  if (name !== '') {
    const path = resolve(directory, name)
    const isFile = await stat(path).then(
      () => true,
      () => false,
    )
    if (isFile) return readKey(path)
    // No name of a key: whoever types it means a file.
    if (/[/\\]|\.pub$/.test(name)) throw new Fault(`${path} does not exist`)
  }
  const key = await askForKey(context)
  return name === '' ? key : { ...key, id: name }
}

async function askForKey(context: Context): Promise<KeyFile> {
  const { output, prompt, around } = context
  const keys = await ownKeys(context)
  output.line('Found the following SSH public keys:')
  for (const [at, { file, id }] of keys.entries()) output.line(`${at + 1}) ${basename(file)} ${id}`)
  output.line('0) Enter path to pubfile (or use keys:add <key_path>)')
  const answer = await prompt.ask('Which would you like to use with Deis? ')
  if (answer === '') throw new Fault('No key was chosen', { hints: ['Name its file: deis keys:add <name> <file>'] })
  if (!/^[0-9]{1,4}$/.test(answer)) throw new Fault(`${answer} is not a valid integer`)
  const number = Number(answer)
  if (number > keys.length) throw new Fault(`${number} is not a valid option`)
  if (number > 0) return keys[number - 1]!
  return readKey(resolve(around.directory, await prompt.ask('Enter the path to the pubkey file: ')))
}

async function ownKeys({ around, output }: Context): Promise<readonly KeyFile[]> {
  const folder = join(homeOf(around.env), '.ssh')
  const names = await readdir(folder).catch(() => [])
  const keys: KeyFile[] = []
  for (const name of names.filter(one => one.endsWith('.pub')).sort(compareText)) {
    try {
      keys.push(await readKey(join(folder, name)))
    } catch (error) {
      output.line((error as Error).message)
    }
  }
  return keys
}

async function readKey(file: string): Promise<KeyFile> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new Fault(`${file} cannot be read (${reasonOf(error)})`)
  }
  const key = parsePublicKey(text, basename(file))
  if (key !== null) return { ...key, file }
  const hints = text.includes('PRIVATE KEY')
    ? ['It is a private key, which must stay with you: give the .pub file.']
    : []
  throw new Fault(`${file} is not a valid ssh key`, { hints })
}

/** Named by its comment, else by the file's name up to its first dot. */
export function parsePublicKey(text: string, fileName: string): Key | null {
  const [, , , comment] = /^(ssh-rsa|ssh-dss|ssh-ed25519|ecdsa-[^ ]+) ([^ ]+) ?(.*)/.exec(text) ?? []
  if (comment === undefined) return null
  return { id: comment.trim() === '' ? fileName.split('.')[0]! : comment.trim(), public: text }
}

const remove: Command = {
  about: 'Removes an SSH key for the logged in user.',
  positionals: [{ name: '<key>', count: 'one', help: 'the SSH key name.' }],
  async run(context, args) {
    const { output } = context
    const client = await context.client()
    const id = args.at(0)
    output.print(`Removing ${id} SSH Key... `)
    await output.progress(client.call('DELETE', `/keys/${segment(id)}`))
    output.line('done')
  },
}

export const commands: Commands = { list, add, remove }
