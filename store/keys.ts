// What a key may look like, so that no key is ever a way out of a folder or needs an escape in a URL.

import { randomUUID } from 'node:crypto'

export const maxKeyLength = 512
export const maxPartLength = 200

/** A key, or the beginning of one. */
const characters = /^[A-Za-z0-9._:@+/-]*$/

/** Throws TypeError if it is none. */
export function checkKey(key: string): void {
  const parts = key.split('/')
  const good = characters.test(key) && key.length <= maxKeyLength && parts.every(part => part !== '' && isPart(part))
  if (!good) throw new TypeError(`not a key: ${JSON.stringify(key.slice(0, maxKeyLength))}`)
}

/** Throws TypeError if no key begins with it. */
export function checkPrefix(prefix: string): void {
  const folders = prefix.split('/')
  const last = folders.pop()!
  const good =
    characters.test(prefix) &&
    prefix.length <= maxKeyLength &&
    folders.every(part => part !== '' && isPart(part)) &&
    last.length <= maxPartLength
  if (!good) throw new TypeError(`not the beginning of a key: ${JSON.stringify(prefix.slice(0, maxKeyLength))}`)
}

export function isKey(text: string): boolean {
  try {
    checkKey(text)
    return true
  } catch {
    return false
  }
}

function isPart(part: string): boolean {
  return part !== '.' && part !== '..' && part.length <= maxPartLength
}

export function newUploadId(): string {
  return randomUUID()
}

/** Ids come from clients, and become names of files. */
export function isUploadId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}
