import type { Session } from './session.ts'
import type { IdempotencyKeys } from './store.ts'

const day = 24 * 60 * 60 * 1000

type Claim = Awaited<ReturnType<IdempotencyKeys['claim']>>

interface Kept {
  readonly request: string
  readonly process: string | null
  readonly status: number | null
  readonly body: string | null
}

export class IdempotencyRows implements IdempotencyKeys {
  readonly #session: Session
  /** Claims of ours: row → the work it is for. */
  readonly #works = new Map<string, string>()

  constructor(session: Session) {
    this.#session = session
  }

  async claim(user: string, key: string, request: string): Promise<Claim> {
    const { process } = this.#session
    const work = await process.begin()
    let isOurs = false
    try {
      for (;;) {
        isOurs = await this.#insert(user, key, request, work)
        if (isOurs) break
        const kept = await this.#find(user, key)
        // Gone meanwhile.
        if (kept === null) continue
        const claim = claimOf(kept)
        const isOver = kept.status !== null
        if (isOver || (kept.process !== null && (await process.isUnderWay(kept.process)))) return claim
        isOurs = await this.#takeOver(user, key, request, kept.process, work)
        if (isOurs) break
      }
      this.#works.set(rowOf(user, key), work)
      return { kind: 'claimed' }
    } finally {
      if (!isOurs) process.end(work)
    }
  }

  async answer(user: string, key: string, status: number, body: string): Promise<void> {
    await this.#end(user, key, async work => {
      await this.#session.db
        .updateTable('idempotency')
        .set({ status, body })
        .where('username', '=', user)
        .where('key', '=', key)
        .where('process', '=', work)
        .execute()
    })
  }

  async release(user: string, key: string): Promise<void> {
    await this.#end(user, key, async work => {
      await this.#session.db
        .deleteFrom('idempotency')
        .where('username', '=', user)
        .where('key', '=', key)
        .where('process', '=', work)
        .where('status', 'is', null)
        .execute()
    })
  }

  async sweep(): Promise<void> {
    await this.#session.db.deleteFrom('idempotency').where('created', '<', this.#yesterday()).execute()
  }

  /** Whatever the database says, the work is over: the claim then counts as left. */
  async #end(user: string, key: string, write: (work: string) => Promise<void>): Promise<void> {
    const row = rowOf(user, key)
    const work = this.#works.get(row)
    if (work === undefined) return
    try {
      await write(work)
    } finally {
      if (this.#works.get(row) === work) this.#works.delete(row)
      this.#session.process.end(work)
    }
  }

  /** False when there is a row already that counts. */
  async #insert(user: string, key: string, request: string, work: string): Promise<boolean> {
    const fresh = this.#fresh(request, work)
    const row = await this.#session.db
      .insertInto('idempotency')
      .values({ ...fresh, username: user, key })
      .onConflict(conflict =>
        conflict.columns(['username', 'key']).doUpdateSet(fresh).where('idempotency.created', '<', this.#yesterday()),
      )
      .returning('created')
      .executeTakeFirst()
    return row !== undefined
  }

  /** False when somebody else did it. */
  async #takeOver(user: string, key: string, request: string, from: string | null, work: string): Promise<boolean> {
    const row = await this.#session.db
      .updateTable('idempotency')
      .set(this.#fresh(request, work))
      .where('username', '=', user)
      .where('key', '=', key)
      .where('process', from === null ? 'is' : '=', from)
      .where('status', 'is', null)
      .returning('created')
      .executeTakeFirst()
    return row !== undefined
  }

  async #find(user: string, key: string): Promise<Kept | null> {
    const row = await this.#session.db
      .selectFrom('idempotency')
      .select(['request', 'process', 'status', 'body'])
      .where('username', '=', user)
      .where('key', '=', key)
      .executeTakeFirst()
    return row ?? null
  }

  #fresh(request: string, work: string) {
    return { request, process: work, status: null, body: null, created: this.#session.now() }
  }

  #yesterday(): string {
    return new Date(Date.parse(this.#session.now()) - day).toISOString()
  }
}

function claimOf({ request, status, body }: Kept): Claim {
  return { kind: 'kept', request, answer: status === null ? null : { status, body: body ?? '' } }
}

/** A user's name has no space, a key may. */
function rowOf(user: string, key: string): string {
  return `${user} ${key}`
}
