// Answers on their way: at once, or as long as there is something to tell.

import { once } from 'node:events'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { assertNever } from '#kit/assert-never.ts'
import type { Answer } from './resource.ts'

/** Milliseconds. */
const pingInterval = 15_000

/** Sends what an operation gives. What is told as it comes ends with its client, and when `closing` aborts. */
export async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Answer,
  closing: AbortSignal,
): Promise<FastifyReply> {
  switch (answer.kind) {
    case 'json':
      reply.code(answer.status)
      // As Kubernetes does it: 299 is `miscellaneous, persistent` (RFC 7234, section 5.5.7).
      if (answer.warning !== undefined) reply.header('warning', `299 - "${answer.warning}"`)
      if (answer.body === undefined) return reply.send()
      // Fastify would add a charset, which is not what clients of this API have seen so far.
      return reply.header('content-type', 'application/json').send(Buffer.from(JSON.stringify(answer.body)))
    case 'text':
      return reply.code(answer.status).type('text/plain; charset=utf-8').send(answer.body)
    case 'events': {
      // Who asks for the head alone does not wait for what happens.
      if (request.method === 'HEAD') return reply.headers(eventHeaders).send()
      const signal = AbortSignal.any([request.call!.gone, closing])
      await sendEvents(reply, answer.events(signal), signal)
      return reply
    }
    case 'stream': {
      const signal = AbortSignal.any([request.call!.gone, closing])
      signal.addEventListener('abort', answer.end, { once: true })
      if (signal.aborted) answer.end()
      await sendStream(reply, answer.chunks, signal)
      signal.removeEventListener('abort', answer.end)
      return reply
    }
    default:
      return assertNever(answer)
  }
}

const eventHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
} as const

/** Comments in between keep proxies from taking a quiet stream for a dead one. */
async function sendEvents(reply: FastifyReply, events: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    ...eventHeaders,
  })
  raw.flushHeaders()
  const ping = setInterval(() => raw.write(': still here\n\n'), pingInterval)
  try {
    for await (const event of events) {
      if (!raw.write(event)) await once(raw, 'drain', { signal })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    clearInterval(ping)
    raw.end()
  }
}

/** No faster than the client takes it. */
async function sendStream(reply: FastifyReply, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...streamHeaders })
  raw.flushHeaders()
  try {
    for await (const chunk of chunks) {
      if (!raw.write(chunk)) await once(raw, 'drain', { signal })
    }
    raw.end()
  } catch {
    // What it was made of has broken, in the middle: the client shall not take that for the end.
    if (signal.aborted) raw.end()
    else raw.destroy()
  }
}

const streamHeaders = {
  'content-type': 'text/plain; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
} as const
