import { expect, test } from 'vitest'
import type { AppId } from './app.ts'
import { isPlatformNameOfOthers } from './platform-name.ts'

const cases: [name: string, domain: string, platform: string | null, others: boolean][] = [
  ['a domain of its own', 'shop.example.com', 'apps.test', false],
  ['its own name', 'shop', 'apps.test', false],
  ['the name of another app', 'other', 'apps.test', true],
  ['the name of another app, platform domain not known', 'other', null, true],
  ['its own name in full', 'shop.apps.test', 'apps.test', false],
  ['its own name in other letters', 'Shop.Apps.Test', 'apps.test', false],
  ['the name of another app in full', 'other.apps.test', 'apps.test', true],
  ['below its own name', 'www.shop.apps.test', 'apps.test', true],
  ['all names', '*.apps.test', 'apps.test', true],
  ['the platform domain', 'apps.test', 'apps.test', true],
  [
    'a wildcard over the platform domain, and so over apps that are yet to come',
    '*.Test.example',
    'apps.test.example',
    true,
  ],
  ['a wildcard beside it', '*.other.example', 'apps.test.example', false],
  ['a domain that only ends alike', 'myapps.test', 'apps.test', false],
  ['in full, platform domain not known', 'other.apps.test', null, false],
]
for (const [name, domain, platform, others] of cases)
  test(`${name}: ${domain}`, () => expect(isPlatformNameOfOthers(domain, 'shop' as AppId, platform)).toBe(others))
