// The hook that git runs when a pack has arrived and before any ref moves. It asks the builder over a socket, prints what
// comes back, and ends as it is told: git moves the refs if that is 0. It runs in a process of its own, once for each push.

import { connect } from 'node:net'
import { createInterface } from 'node:readline'

const { DEIS_HOOK_SOCKET: path = '', DEIS_HOOK_SECRET: secret = '' } = process.env

function leave(code: number, words?: string): void {
  if (words !== undefined) process.stderr.write(`${words}\n`)
  // What is printed goes through a pipe: it has to be taken first.
  process.exitCode = code
  process.stdin.destroy()
  socket.destroy()
}

const socket = connect({ path, allowHalfOpen: true })
let told = false
socket.on('error', () => {})
socket.on('close', () => {
  if (!told) leave(1, 'The builder went away while it built. Push again.')
})
socket.write(
  `${JSON.stringify({
    secret,
    objects: process.env.GIT_OBJECT_DIRECTORY ?? '',
    alternates: process.env.GIT_ALTERNATE_OBJECT_DIRECTORIES ?? '',
  })}\n`,
)
process.stdin.pipe(socket)
createInterface({ input: socket }).on('line', line => {
  const [kind, value] = JSON.parse(line) as ['out' | 'err', string] | ['exit', number]
  if (kind === 'exit') {
    told = true
    leave(value)
  } else process[kind === 'out' ? 'stdout' : 'stderr'].write(`${value}\n`)
})
