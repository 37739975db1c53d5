// Mounts that are left below a directory which is to be removed.

import { readFileSync } from 'node:fs'
import { run } from './command.ts'

/** Nothing stays mounted below them. */
export async function unmountBelow(...directories: readonly string[]): Promise<void> {
  const mounted = () =>
    readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map(line => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
      .filter(path => directories.some(directory => path.startsWith(`${directory}/`)))
  for (const path of mounted().reverse()) await run('umount', ['-l', path])
  if (mounted().length > 0) throw new Error(`still mounted: ${mounted().join(' ')}`)
}
