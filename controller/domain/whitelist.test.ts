import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCidr } from '#router/model/cidr.ts'
import { refused } from './testdata/refused.ts'
import { addAddresses, parseAddresses, removeAddresses } from './whitelist.ts'

describe('section 5, whitelist: addresses', () => {
  for (const address of [
    '1.2.3.4',
    '10.0.0.0/8',
    '10.1.2.3/8',
    '0.0.0.0/0',
    '::1',
    '2001:db8::/32',
    '2001:db8::1/32',
    '::ffff:1.2.3.4',
  ])
    test(address, () => expect(parseAddresses([address])).toEqual([address]))

  test('each once, without white space', () =>
    expect(parseAddresses(['1.2.3.4', ' 1.2.3.4 ', '::1'])).toEqual(['1.2.3.4', '::1']))

  const bad = [
    '',
    '1.2.3',
    '1.2.3.256',
    '010.0.0.1',
    '1.2.3.4/33',
    '1.2.3.4/-1',
    '1.2.3.4/08',
    '1.2.3.4/',
    '::1/129',
    'fe80::1%eth0',
    '::ffff:1.2.3.4/32',
    'example.com',
    '1.2.3.4,5.6.7.8',
    'x'.repeat(51),
    7,
    null,
  ]
  for (const address of bad)
    test(`refused: ${address}`, () =>
      expect(refused(() => parseAddresses(['1.2.3.4', address]))).toEqual({
        illogical: `The address ${address} is not valid`,
      }))

  test('refused: no list', () => {
    expect(refused(() => parseAddresses(undefined))).toEqual({ addresses: ['This field is required.'] })
    expect(refused(() => parseAddresses('1.2.3.4'))).toEqual({ addresses: ['Expected a list of items.'] })
  })
  test('refused: too many', () => {
    const many = Array.from({ length: 1001 }, (_, i) => `10.0.${i >> 8}.${i & 255}`)
    const message = { illogical: 'A whitelist can have at most 1000 addresses' }
    expect(refused(() => parseAddresses(many))).toEqual(message)
    expect(refused(() => addAddresses(many.slice(1), ['::1'], 'ann'))).toEqual(message)
  })
})

describe('section 5, whitelist: changes', () => {
  const nothing = { conflict: 'ann changed nothing' }
  test('added', () => expect(addAddresses(['::1'], ['::2', '::1'], 'ann')).toEqual(['::1', '::2']))
  test('all there', () => expect(refused(() => addAddresses(['::1'], ['::1'], 'ann'))).toEqual(nothing))
  test('removed', () => expect(removeAddresses(['::1', '::2'], ['::1'], 'ann')).toEqual(['::2']))
  test('not there', () =>
    expect(refused(() => removeAddresses(['::1'], ['::1', '::2'], 'ann'))).toEqual({
      absent: 'addresses ::2 does not exist in whitelist',
    }))
  test('none', () => expect(refused(() => removeAddresses(['::1'], [], 'ann'))).toEqual(nothing))
})

test('what is accepted is what the router reads', () => {
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4().map(text => `::ffff:${text}`),
  )
  const text = fc.oneof(
    address,
    fc.tuple(address, fc.nat({ max: 140 })).map(([ip, prefix]) => `${ip}/${prefix}`),
  )
  fc.assert(
    fc.property(text, given => {
      const isAccepted = given.length <= 50 && refused(() => parseAddresses([given])) === 'accepted'
      expect(isAccepted).toBe(given.length <= 50 && parseCidr(given) !== null)
    }),
  )
})
