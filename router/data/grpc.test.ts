// gRPC through the router: clients and servers of @grpc/grpc-js, over TLS in front and HTTP/2 behind, so that every octet of
// its conventions (trailers, resets, deadlines) crosses both edges.

import { once } from 'node:events'
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { certificateOf, fallbackCertificate } from '#test/support/certificates.ts'
import { routeTo, startDataThread, type TestThread, upstreamWith } from '#test/support/data-thread.ts'
import { failOnLeaks } from '#test/support/leaks.ts'

failOnLeaks()

const asIs = (octets: Buffer): Buffer => octets

function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
}

const methods = {
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  count: method('Count', false, true),
  talk: method('Talk', true, true),
} as const satisfies ServiceDefinition

type Answer = (error: Partial<ServiceError> | null, value?: Buffer, trailers?: Metadata) => void

/** What the servers of these tests do; `cancelled` is told of calls whose client has left. */
function service(cancelled: (how: string) => void): UntypedServiceImplementation {
  return {
    unary(call: { request: Buffer; metadata: Metadata; on(event: string, heard: () => void): void }, answer: Answer) {
      const text = call.request.toString('latin1', 0, 20)
      if (text === 'fail') {
        const metadata = new Metadata()
        metadata.set('x-why', 'because')
        metadata.set('x-octets-bin', Buffer.from([0, 255]))
        answer({ code: status.FAILED_PRECONDITION, details: 'no: 100 % ü', metadata })
      } else if (text === 'never') call.on('cancelled', () => cancelled('unary'))
      else {
        const trailers = new Metadata()
        trailers.set('x-seen', String(call.metadata.get('x-given')[0] ?? ''))
        answer(null, call.request, trailers)
      }
    },
    collect(call: AsyncIterable<Buffer>, answer: Answer) {
      void (async () => {
        const parts: Buffer[] = []
        for await (const part of call) parts.push(part)
        answer(null, Buffer.concat(parts))
      })().catch(() => {})
    },
    count(call: {
      request: Buffer
      write(part: Buffer): void
      end(): void
      on(event: string, heard: () => void): void
    }) {
      const text = call.request.toString('latin1')
      if (text === 'forever') {
        call.on('cancelled', () => cancelled('count'))
        call.write(Buffer.from('first'))
        return
      }
      for (let i = 0; i < Number(text); i++) call.write(Buffer.from(String(i)))
      call.end()
    },
    talk(call: { on(event: string, heard: (part: Buffer) => void): void; write(part: Buffer): void; end(): void }) {
      call.on('data', part => call.write(Buffer.concat([Buffer.from('re: '), part])))
      call.on('end', () => call.end())
      call.on('cancelled', () => cancelled('talk'))
    },
  }
}

class GrpcStage implements AsyncDisposable {
  readonly client: Client
  readonly server: Server
  readonly thread: TestThread
  readonly #cancelled: string[] = []
  #wake: () => void = () => {}

  private constructor(server: Server, thread: TestThread, client: Client) {
    this.server = server
    this.thread = thread
    this.client = client
  }

  static async set(protocol: 'h2' | 'h2c'): Promise<GrpcStage> {
    const limits = { 'grpc.max_receive_message_length': 8 * 1024 * 1024 }
    const server = new Server(limits)
    let stage: GrpcStage | null = null
    server.addService(
      methods,
      service(how => stage?.onCancelled(how)),
    )
    const { chain, key } = fallbackCertificate()
    const pair = { cert_chain: Buffer.from(chain), private_key: Buffer.from(key) }
    const own = protocol === 'h2' ? ServerCredentials.createSsl(null, [pair]) : ServerCredentials.createInsecure()
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', own, (error, bound) => (error === null ? resolve(bound) : reject(error)))
    })
    const certificate = certificateOf('test/a')
    const thread = await startDataThread({
      routes: [routeTo('a.example', 'a', { certificate: certificate.id })],
      upstreams: [upstreamWith('a', { protocol }, port)],
      certificates: [certificate],
    })
    const trust = credentials.createSsl(null, null, null, { rejectUnauthorized: false })
    const client = new Client(`127.0.0.1:${thread.httpsPort}`, trust, {
      ...limits,
      'grpc.ssl_target_name_override': 'a.example',
      'grpc.default_authority': 'a.example',
      'grpc.enable_retries': 0,
    })
    stage = new GrpcStage(server, thread, client)
    return stage
  }

  onCancelled(how: string): void {
    this.#cancelled.push(how)
    this.#wake()
  }

  /** Resolves when the server has heard that a call was cancelled. */
  async cancelled(): Promise<string> {
    while (this.#cancelled.length === 0) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return this.#cancelled.shift()!
  }

  unary(request: Buffer | string, metadata = new Metadata(), options: CallOptions = {}): Promise<Unary> {
    const { path, requestSerialize, responseDeserialize } = methods.unary
    return new Promise(resolve => {
      let trailers = new Metadata()
      const octets = Buffer.from(request as string)
      const call = this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        octets,
        metadata,
        options,
        (error, value) => setImmediate(() => resolve({ error, value: value ?? null, trailers })),
      )
      call.on('status', ({ metadata }) => {
        trailers = metadata
      })
    })
  }

  count(request: string, options: CallOptions = {}): ClientReadableStream<Buffer> {
    const { path, requestSerialize, responseDeserialize } = methods.count
    return this.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      Buffer.from(request),
      options,
    )
  }

  talk(): ClientDuplexStream<Buffer, Buffer> {
    const { path, requestSerialize, responseDeserialize } = methods.talk
    return this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
  }

  collect(answer: (error: ServiceError | null, value?: Buffer) => void): ClientWritableStream<Buffer> {
    const { path, requestSerialize, responseDeserialize } = methods.collect
    return this.client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, answer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close()
    await this.thread[Symbol.asyncDispose]()
    this.server.forceShutdown()
  }
}

interface Unary {
  readonly error: ServiceError | null
  readonly value: Buffer | null
  readonly trailers: Metadata
}

function statusOf(call: ClientReadableStream<Buffer>): Promise<number> {
  call.on('error', () => {})
  call.resume()
  return new Promise(resolve => call.on('status', ({ code }) => resolve(code)))
}

for (const protocol of ['h2c', 'h2'] as const) {
  describe(protocol, () => {
    test('unary: message, metadata both ways', async () => {
      await using stage = await GrpcStage.set(protocol)
      const metadata = new Metadata()
      metadata.set('x-given', 'value')
      const { error, value, trailers } = await stage.unary('hello', metadata)
      expect(error).toBe(null)
      expect(value?.toString()).toBe('hello')
      expect(trailers.get('x-seen')).toEqual(['value'])
    })

    test('an error: its code, its message and its metadata', async () => {
      await using stage = await GrpcStage.set(protocol)
      const { error } = await stage.unary('fail')
      expect([error?.code, error?.details]).toEqual([status.FAILED_PRECONDITION, 'no: 100 % ü'])
      expect(error?.metadata.get('x-why')).toEqual(['because'])
      expect(error?.metadata.get('x-octets-bin')).toEqual([Buffer.from([0, 255])])
    })

    test('a method that the server does not know: trailers and nothing else', async () => {
      await using stage = await GrpcStage.set(protocol)
      const error = await new Promise<ServiceError | null>(resolve => {
        stage.client.makeUnaryRequest('/test.Echo/Nothing', asIs, asIs, Buffer.from('a'), resolve)
      })
      expect(error?.code).toBe(status.UNIMPLEMENTED)
    })

    test('messages of 4 MB both ways', async () => {
      await using stage = await GrpcStage.set(protocol)
      const message = Buffer.alloc(4 * 1024 * 1024, 'a message ')
      const { error, value } = await stage.unary(message)
      expect(error).toBe(null)
      expect(value?.equals(message)).toBe(true)
    })

    test('streams of the server', async () => {
      await using stage = await GrpcStage.set(protocol)
      const parts: string[] = []
      for await (const part of stage.count('500')) parts.push((part as Buffer).toString())
      expect(parts).toEqual(Array.from({ length: 500 }, (_, i) => String(i)))
    })

    test('streams of the client', async () => {
      await using stage = await GrpcStage.set(protocol)
      const value = await new Promise<Buffer | undefined>((resolve, reject) => {
        const call = stage.collect((error, collected) => (error === null ? resolve(collected) : reject(error)))
        for (let i = 0; i < 500; i++) call.write(Buffer.from(`${i} `))
        call.end()
      })
      expect(value?.toString()).toBe(Array.from({ length: 500 }, (_, i) => `${i} `).join(''))
    })

    test('both at once: each message is answered before the next one leaves', async () => {
      await using stage = await GrpcStage.set(protocol)
      const call = stage.talk()
      for (let i = 0; i < 20; i++) {
        const answer = once(call, 'data')
        call.write(Buffer.from(String(i)))
        expect(String((await answer)[0])).toBe(`re: ${i}`)
      }
      const ended = once(call, 'status')
      call.end()
      expect((await ended)[0].code).toBe(status.OK)
    })

    test('a call that the client cancels is cancelled at the server', async () => {
      await using stage = await GrpcStage.set(protocol)
      const call = stage.count('forever')
      await once(call, 'data')
      const code = statusOf(call)
      call.cancel()
      expect(await code).toBe(status.CANCELLED)
      expect(await stage.cancelled()).toBe('count')
      const talk = stage.talk()
      talk.on('error', () => {})
      talk.write(Buffer.from('a'))
      await once(talk, 'data')
      talk.cancel()
      expect(await stage.cancelled()).toBe('talk')
    })

    test('a deadline ends the call at both ends', async () => {
      await using stage = await GrpcStage.set(protocol)
      const { error } = await stage.unary('never', new Metadata(), { deadline: Date.now() + 300 })
      expect(error?.code).toBe(status.DEADLINE_EXCEEDED)
      expect(await stage.cancelled()).toBe('unary')
    })

    test('a server that goes in the middle of a call: the client is told', async () => {
      await using stage = await GrpcStage.set(protocol)
      const call = stage.count('forever')
      await once(call, 'data')
      const code = statusOf(call)
      stage.server.forceShutdown()
      expect([status.UNAVAILABLE, status.INTERNAL, status.CANCELLED, status.UNKNOWN]).toContain(await code)
    })
  })
}
