// Serves the files of a directory on PORT, as part of an app that has nothing else: GET and HEAD, `index.html` for a
// directory, `404.html` for what is not there. Names that begin with a dot are not served, and links lead nowhere else.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'

const root = await realpath(resolve(process.argv[2] ?? '.'))

const types = {
  '.avif': 'image/avif',
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.gif': 'image/gif',
  '.htm': 'text/html; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/vnd.microsoft.icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mp3': 'audio/mpeg',
  '.mp4': 'video/mp4',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webm': 'video/webm',
  '.webp': 'image/webp',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.xml': 'application/xml',
}

/** Files whose tag is remembered. Times are no help: all files of an image have the same. */
const mostTags = 10_000
const tags = new Map()

async function tagOf(file) {
  const known = tags.get(file)
  if (known !== undefined) return known
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk)
  const tag = `"${hash.digest('base64url').slice(0, 27)}"`
  if (tags.size >= mostTags) tags.clear()
  tags.set(file, tag)
  return tag
}

/** A file within the root; null: there is none. `slash`: it is a directory, and the path does not say so. */
async function find(path) {
  if (path.split('/').some(part => part.startsWith('.') && part !== '.well-known')) return null
  const file = await realpath(join(root, path)).catch(() => null)
  if (file === null || (file !== root && !file.startsWith(root + (root.endsWith(sep) ? '' : sep)))) return null
  const status = await stat(file)
  if (status.isDirectory()) return path.endsWith('/') ? await find(`${path}index.html`) : { kind: 'slash' }
  return status.isFile() && !path.endsWith('/') ? { kind: 'file', file, size: status.size } : null
}

async function answer(request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end()
    return
  }
  const [raw, query] = request.url.split(/\?(.*)/s)
  let path
  try {
    path = decodeURIComponent(raw)
  } catch {
    path = '\0'
  }
  if (path.includes('\0') || !path.startsWith('/')) {
    response.writeHead(400).end()
    return
  }
  const found = await find(path)
  if (found?.kind === 'slash') {
    // One slash at the front: two of them would be another host.
    const location = `/${raw.replace(/^\/+/, '')}/${query === undefined ? '' : `?${query}`}`
    response.writeHead(301, { location }).end()
    return
  }
  const page = found ?? (await find('/404.html'))
  if (page === null) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not Found\n')
    return
  }
  const etag = await tagOf(page.file)
  const headers = {
    etag,
    'content-type': types[extname(page.file).toLowerCase()] ?? 'application/octet-stream',
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
  }
  if (
    found !== null &&
    request.headers['if-none-match']?.split(/\s*,\s*/).some(one => one.replace(/^W\//, '') === etag)
  ) {
    response.writeHead(304, headers).end()
    return
  }
  response.writeHead(found === null ? 404 : 200, { ...headers, 'content-length': page.size })
  if (request.method === 'HEAD') response.end()
  else await pipeline(createReadStream(page.file), response)
}

const server = createServer((request, response) => {
  request.resume()
  answer(request, response).catch(() => {
    if (!response.headersSent) response.writeHead(500)
    response.end()
  })
})
server.listen(Number(process.env.PORT ?? 5000))
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
