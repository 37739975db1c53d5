import { describe, expect, test } from 'vitest'
import { upstreamAt } from '#test/support/data-thread.ts'
import { numbers, UpstreamStage } from '#test/support/upstream-stage.ts'
import { bestMatch, lessBusy, Turn } from './balance.ts'
import { hashText } from './hash.ts'
import type { Member } from './member.ts'

function membersOf(count: number): readonly Member[] {
  const stage = new UpstreamStage()
  const upstream = stage.upstream()
  const ports = Array.from({ length: count }, (_, i) => 1000 + i)
  upstream.update(upstreamAt('u', ...ports))
  return stage.members(upstream, ...ports)
}

const keys = Array.from({ length: 20_000 }, (_, i) => hashText(`10.0.${i >> 8}.${i & 0xff}`))

describe('rendezvous', () => {
  test('keys spread evenly, also those of neighbouring addresses', () => {
    const members = membersOf(10)
    const counts = new Map<Member, number>()
    for (const key of keys) {
      const member = bestMatch(members, key, 0, 0)!
      counts.set(member, (counts.get(member) ?? 0) + 1)
    }
    for (const member of members) {
      const share = (counts.get(member) ?? 0) / keys.length
      expect(Math.abs(share - 0.1)).toBeLessThan(0.01)
    }
  })

  test('whoever asks, and in whatever order endpoints are known, the answer is the same', () => {
    const [here, there] = [membersOf(7), membersOf(7).toReversed()]
    for (const key of keys.slice(0, 1000))
      expect(bestMatch(here, key, 0, 0)!.pool.name).toBe(bestMatch(there, key, 0, 0)!.pool.name)
  })

  test('when one goes, its keys alone move, to all others; when it comes back, they return', () => {
    const members = membersOf(10)
    const gone = members[3]!
    const rest = members.filter(member => member !== gone)
    const heirs = new Set<Member>()
    for (const key of keys) {
      const before = bestMatch(members, key, 0, 0)!
      const after = bestMatch(rest, key, 0, 0)!
      if (before === gone) heirs.add(after)
      else expect(after).toBe(before)
    }
    expect(heirs.size).toBe(9)
  })

  test('one that is full is left out, and its keys have a second home of their own', () => {
    const members = membersOf(4)
    const key = keys[0]!
    const order: Member[] = []
    for (;;) {
      const member = bestMatch(members, key, 0, 1)
      if (member === null) break
      order.push(member)
      member.inFlight = 1
    }
    expect(new Set(order)).toEqual(new Set(members))
    expect(order[0]).toBe(bestMatch(members, key, 0, 0))
  })
})

describe('two choices', () => {
  test('with much in flight no endpoint is far above the others', () => {
    const members = membersOf(10)
    const turn = new Turn()
    const random = numbers()
    for (let i = 0; i < 10_000; i++) lessBusy(members, turn, random).enter()
    const busy = members.map(({ inFlight }) => inFlight)
    expect(Math.max(...busy) - Math.min(...busy)).toBeLessThan(10)
  })

  test('one that answers ten times as slowly gets few', () => {
    const members = membersOf(5)
    const slow = members[2]!
    const turn = new Turn()
    const random = numbers()
    const open: { readonly member: Member; readonly until: number }[] = []
    let slowOnes = 0
    for (let now = 0; now < 5000; now++) {
      for (const one of open.splice(0)) {
        if (one.until > now) open.push(one)
        else one.member.pool.inFlight--
      }
      const member = lessBusy(members, turn, random)
      member.pool.inFlight++
      if (member === slow) slowOnes++
      open.push({ member, until: now + (member === slow ? 100 : 10) })
    }
    expect(slowOnes / 5000).toBeLessThan(0.1)
  })
})
