// What the system says, in the words of a store.

import { StoreError } from '../store.ts'

const kinds: Readonly<Record<string, StoreError['kind']>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  EACCES: 'refused',
  EPERM: 'refused',
  EROFS: 'refused',
  // A key that is the folder of another.
  EISDIR: 'refused',
  ENOTDIR: 'refused',
  EEXIST: 'refused',
  ENOTEMPTY: 'refused',
  EIO: 'unreachable',
  ENXIO: 'unreachable',
  ENODEV: 'unreachable',
  ESTALE: 'unreachable',
  ETIMEDOUT: 'unreachable',
  EMFILE: 'unreachable',
  ENFILE: 'unreachable',
  ENOMEM: 'unreachable',
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code
}

/** StoreError for what the system refuses; anything else as it is. */
export function explain(error: unknown, what: string): unknown {
  const kind = kinds[codeOf(error) ?? '']
  // With a system call in it, since a source may throw such codes as well.
  if (kind === undefined || (error as NodeJS.ErrnoException).syscall === undefined) return error
  return new StoreError(kind, `${what}: ${(error as Error).message}`, { cause: error })
}
