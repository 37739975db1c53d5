import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

const names = ['shop.example.com', 'shops.example.com', 'www.shop.example.com', 'blog.example.com', 'a.io']

const rows: readonly (readonly [asked: string, want: readonly string[]])[] = [
  ['shop.exmaple.com', ['shop.example.com', 'shops.example.com']],
  ['shop.example.co', ['shop.example.com', 'shops.example.com']],
  ['shop.example.com', ['shops.example.com']],
  ['ww.shop.example.com', ['www.shop.example.com']],
  ['nothing.like.it', []],
  ['b.io', ['a.io']],
  ['', []],
]

for (const [asked, want] of rows)
  test(`${asked} may be ${want.join(', ')}`, () => expect(nearest(asked, names, 3)).toEqual(want))

test('no more than asked for', () => {
  expect(nearest('shop.example.co', names, 1)).toEqual(['shop.example.com'])
})
