// Bodies of requests, as their type says: JSON, or a form.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../domain/refusal.ts'

/** Bodies come whole: the largest is 10 MB. An absent one is undefined, whatever type it claims. */
export function addParsers(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  const parse = (type: string | RegExp, read: (body: Buffer, contentType: string) => unknown): void => {
    server.addContentTypeParser(type, { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) =>
      body.length === 0 ? undefined : await read(body, request.headers['content-type'] ?? ''),
    )
  }
  parse('application/json', body => {
    try {
      return JSON.parse(utf8(body)) as unknown
    } catch (error) {
      if (error instanceof Refusal) throw error
      throw new Refusal('illogical', `JSON parse error - ${(error as Error).message.slice(0, 200)}`)
    }
  })
  parse('application/x-www-form-urlencoded', body => fieldsOf(new URLSearchParams(utf8(body))))
  parse('multipart/form-data', async (body, contentType) => {
    try {
      const form = await new Response(body, { headers: { 'content-type': contentType } }).formData()
      return fieldsOf([...form].filter((field): field is [string, string] => typeof field[1] === 'string'))
    } catch {
      throw new Refusal('illogical', 'Multipart form parse error - Invalid boundary in multipart')
    }
  })
}

function utf8(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new Refusal('illogical', 'JSON parse error - the body is not valid UTF-8')
  }
}

function fieldsOf(pairs: Iterable<readonly [string, string]>): Record<string, string> {
  return Object.fromEntries(pairs)
}
