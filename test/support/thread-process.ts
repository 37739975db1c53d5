// A data thread as a process of its own, to be run with few file descriptors: says its port, and with each line of its
// input how it is.

import { createInterface } from 'node:readline'
import { capacityOf, fileLimit } from '#router/control/file-limit.ts'
import { startDataThread } from '#test/support/data-thread.ts'

const thread = await startDataThread({ capacity: capacityOf(fileLimit(), 1) })
console.log(JSON.stringify({ port: thread.httpPort, limit: fileLimit() }))
for await (const _ of createInterface(process.stdin)) {
  console.log(
    JSON.stringify({ evicted: thread.count('connectionsEvicted'), refused: thread.count('connectionsRefused') }),
  )
}
