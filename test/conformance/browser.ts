// A browser without a window, told what to do by its DevTools protocol: pages, keys, and what it complains about.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'

// biome-ignore lint/suspicious/noExplicitAny: the protocol has hundreds of shapes
type Fields = Record<string, any>

interface Waiting {
  readonly resolve: (result: Fields) => void
  readonly reject: (error: Error) => void
}

/** It reaches nothing but this machine, by address. */
const flags = [
  '--headless=new',
  '--remote-debugging-port=0',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--hide-scrollbars',
  // Its sandbox is not for root.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
]

export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #socket: WebSocket
  readonly #profile: string
  readonly #waiting = new Map<number, Waiting>()
  readonly #pages = new Map<string, Page>()
  #last = 0

  static async start(): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), 'chromium-'))
    const child = spawn('chromium', [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    for await (const line of createInterface({ input: child.stderr! })) {
      said += `${line}\n`
      const [, url] = /DevTools listening on (ws:\S+)/.exec(line) ?? []
      if (url === undefined) continue
      // Whatever else it says is not looked at, but has to be taken.
      child.stderr!.resume()
      const socket = new WebSocket(url, { perMessageDeflate: false })
      await once(socket, 'open')
      return new Browser(child, socket, profile)
    }
    throw new Error(`chromium ended:\n${said}`)
  }

  private constructor(child: ChildProcess, socket: WebSocket, profile: string) {
    this.#child = child
    this.#socket = socket
    this.#profile = profile
    socket.on('message', data => this.#hear(JSON.parse(String(data)) as Fields))
  }

  /** A page with cookies of its own. */
  async page(): Promise<Page> {
    const { browserContextId } = await this.send('Target.createBrowserContext', {})
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId })
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true })
    const page = new Page((method, params = {}) => this.send(method, params, sessionId))
    this.#pages.set(sessionId, page)
    for (const domain of ['Page', 'Runtime', 'Log', 'DOM', 'Network']) await page.send(`${domain}.enable`)
    return page
  }

  send(method: string, params: Fields, sessionId?: string): Promise<Fields> {
    const id = ++this.#last
    const { promise, resolve, reject } = Promise.withResolvers<Fields>()
    this.#waiting.set(id, { resolve, reject })
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }))
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.terminate()
    if (this.#child.exitCode === null) {
      const exited = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await exited
    }
    // Its other processes may still be writing there.
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  #hear({ id, result, error, method, params, sessionId }: Fields): void {
    if (id === undefined) this.#pages.get(sessionId)?.hear(method, params)
    else if (error !== undefined) this.#waiting.get(id)?.reject(new Error(error.message))
    else this.#waiting.get(id)?.resolve(result)
    this.#waiting.delete(id)
  }
}

export class Page {
  readonly send: (method: string, params?: Fields) => Promise<Fields>
  /** What the browser had to complain about: scripts that failed, what a policy forbade, dialogues. */
  readonly complaints: string[] = []
  /** URLs that were asked for. */
  readonly requests: string[] = []
  #loaded = Promise.withResolvers<void>()

  constructor(send: (method: string, params?: Fields) => Promise<Fields>) {
    this.send = send
  }

  hear(method: string, params: Fields): void {
    if (method === 'Page.loadEventFired') this.#loaded.resolve()
    else if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url)
    else if (method === 'Log.entryAdded') this.complaints.push(params.entry.text)
    else if (method === 'Runtime.exceptionThrown') this.complaints.push(params.exceptionDetails.text)
    else if (method === 'Page.javascriptDialogOpening') this.complaints.push(`dialogue: ${params.message}`)
  }

  async open(url: string): Promise<void> {
    await this.#during(() => this.send('Page.navigate', { url }))
  }

  /** Types into a field, as a person would. */
  async type(selector: string, text: string): Promise<void> {
    await this.send('DOM.focus', { nodeId: await this.#find(selector) })
    await this.send('Input.insertText', { text })
  }

  /** Enter, and the page that follows. */
  async enter(): Promise<void> {
    const key = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' }
    await this.#during(async () => {
      await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...key })
      await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...key })
    })
  }

  /** The document as the browser understood it. */
  async source(): Promise<string> {
    const { root } = await this.send('DOM.getDocument')
    const { outerHTML } = await this.send('DOM.getOuterHTML', { nodeId: root.nodeId })
    return outerHTML
  }

  /** The value of an expression, with or without scripts of the page. */
  async value<T>(expression: string): Promise<T> {
    const { result } = await this.send('Runtime.evaluate', { expression, returnByValue: true })
    return result.value
  }

  async withoutScripts(): Promise<void> {
    await this.send('Emulation.setScriptExecutionDisabled', { value: true })
  }

  async scheme(value: 'dark' | 'light'): Promise<void> {
    await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] })
  }

  /** PNG. */
  async picture(width: number, height: number): Promise<Buffer> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' })
    return Buffer.from(data, 'base64')
  }

  async #find(selector: string): Promise<number> {
    const { root } = await this.send('DOM.getDocument')
    const { nodeId } = await this.send('DOM.querySelector', { nodeId: root.nodeId, selector })
    if (nodeId === 0) throw new Error(`there is no ${selector}`)
    return nodeId
  }

  async #during(act: () => Promise<unknown>): Promise<void> {
    this.#loaded = Promise.withResolvers<void>()
    await act()
    await this.#loaded.promise
  }
}
