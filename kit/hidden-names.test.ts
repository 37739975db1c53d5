import { expect, test } from 'vitest'
import { hideNames } from './hidden-names.ts'

const rows: readonly (readonly [text: string, want: string])[] = [
  [
    'a.example belongs to Service zoo/web, which comes first',
    'a.example belongs to a Service of somebody else, which comes first',
  ],
  ['belongs to Ingress zoo/a.b-c, which is older', 'belongs to an Ingress of somebody else, which is older'],
  [
    'the certificate in Secret zoo/tls is not for a.example',
    'the certificate in a Secret of somebody else is not for a.example',
  ],
  ['Secret shop/tls does not exist', 'Secret shop/tls does not exist'],
  ['Service shop/web and Service shopping/web', 'Service shop/web and a Service of somebody else'],
]

for (const [text, want] of rows) test(text, () => expect(hideNames(text, namespace => namespace === 'shop')).toBe(want))
