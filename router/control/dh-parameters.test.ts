import { expect, test } from 'vitest'
import type { Secret } from '#kube/types.ts'
import { DhParameters, dhParametersSecret } from './dh-parameters.ts'

const strong = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA///////////JD9qiIWjCNMTGYouA3BzRKQJOCIpnzHQCC76mOxObIlFKCHmONATd
75UZs806QxswKwpt8l8UN0/hNW1tUcJF5IW1dmJefsb0TELppjftawv/XLb0Brft7jhr+1qJn6Wu
nyQRfEsf5kkoZlHs5Fs9wgB8uKFjvwWY2kg2HFXTmmkWP6j9JM9fg2VdI9yjrZYcYvNWIIVSu57V
KQdwlpZtZww1Tkq8mATxdGwIyhghfDKQXkYuNs474553LBgOhgObJ4Oi7Aeij7XFXfBvTFLJ3ivL
9pVYFxg5lUl86pVq5RXSJhiY+gUQFXKOWoqsqmj//////////wIBAg==
-----END DH PARAMETERS-----
`
const weak = '-----BEGIN DH PARAMETERS-----\nMAcCAn8BAgEC\n-----END DH PARAMETERS-----\n'
const secret = (dhparam: string): Secret => ({
  metadata: { name: 'deis-router-dhparam', namespace: 'deis' },
  data: { dhparam: Buffer.from(dhparam).toString('base64') },
})

const rows: readonly (readonly [name: string, object: unknown, usable: string | null, says: string | null])[] = [
  ['strong ones', secret(strong), strong, null],
  ['from a manifest', { ...secret(''), data: {}, stringData: { dhparam: strong } }, strong, null],
  ['weak ones', secret(weak), null, 'has 15 bits, fewer than 2048'],
  ['something else', secret('hello'), null, 'holds no PEM'],
  ['without the key: as if absent', { metadata: { name: 'x' } }, null, null],
  ['a value that is no text', { metadata: { name: 'x' }, data: { dhparam: 7 } }, null, null],
]
for (const [name, object, usable, says] of rows) {
  test(`§16 dhparam: ${name}`, () => {
    const parameters = new DhParameters(dhParametersSecret('deis'))
    parameters.apply({ kind: 'upsert', object: object as Secret })
    expect(parameters.usable).toBe(usable)
    expect(parameters.problems().map(({ message }) => message)).toEqual(
      says === null ? [] : [expect.stringContaining(says)],
    )
    parameters.apply({ kind: 'delete', object: object as Secret })
    expect([parameters.usable, parameters.problems()]).toEqual([null, []])
  })
}
