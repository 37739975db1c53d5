// Where a store is, and how to get at it.

import { openFolder } from './folder/folder-store.ts'
import type { S3Target } from './s3/target.ts'
import type { ObjectStore } from './store.ts'

export interface FolderTarget {
  readonly kind: 'folder'
  /** Made when it is not there. */
  readonly directory: string
}

export type StoreTarget = FolderTarget | S3Target

/** Throws StartupError 69 when the place cannot be used: a folder that another process uses, a server that says no. */
export async function openStore(target: StoreTarget): Promise<ObjectStore> {
  switch (target.kind) {
    case 'folder':
      return await openFolder(target.directory)
    case 's3': {
      // The client alone takes 40 MB of memory.
      const { openS3 } = await import('./s3/s3-store.ts')
      return await openS3(target)
    }
  }
}
