// Loaded into the router by `node --import`: on SIGUSR2 one of its data threads, each in turn, ends in the middle of
// whatever it does, as if it had crashed. The router itself has no way to be told so, and should have none.

import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads'

const channel = new BroadcastChannel('mortal')
// Nobody stays alive for it.
channel.unref()

if (isMainThread) {
  const threads: number[] = []
  channel.onmessage = event => threads.push((event as MessageEvent).data as number)
  process.on('SIGUSR2', () => channel.postMessage({ kill: threads.shift() }))
} else {
  channel.onmessage = event => {
    if (((event as MessageEvent).data as { kill?: number })?.kill === threadId) process.exit(1)
  }
  channel.postMessage(threadId)
}
