// The `deis` command as a process; wiring only.

import { run } from './run.ts'

// Whoever reads us may have read enough: `deis logs | head`. What was asked for may not be done then, so that the code is what
// shells tell of programs that SIGPIPE has ended.
process.stdout.on('error', error => {
  process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 141 : 1)
})

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  directory: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  // Ctrl-C ends the process, and what the controller has begun goes on there.
  signal: new AbortController().signal,
  now: Date.now,
  resolves: async host =>
    (await import('node:dns/promises')).lookup(host).then(
      () => true,
      () => false,
    ),
})
