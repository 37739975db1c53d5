import { expect, test } from 'vitest'
import { identityOf, parseManifest } from './manifest-file.ts'

const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: web}\n'

/** Identities of the objects, then faults. */
const cases: [name: string, format: 'yaml' | 'json', text: string, want: readonly string[]][] = [
  ['an object', 'yaml', service, ['Service/default/web']],
  ['nothing', 'yaml', '', []],
  ['comments only', 'yaml', '# soon\n---\n# later\n', []],
  [
    'several documents',
    'yaml',
    `${service}---\nkind: Secret\nmetadata: {name: s, namespace: shop}\n...\n`,
    ['Service/default/web', 'Secret/shop/s'],
  ],
  [
    'a List',
    'json',
    '{"kind":"List","items":[{"kind":"Secret","metadata":{"name":"a"}},{"kind":"Pod"}]}',
    ['Secret/default/a'],
  ],
  ['a list of one kind', 'yaml', 'kind: ServiceList\nitems: [{metadata: {name: a}}]', ['Service/default/a']],
  [
    'a List in a List',
    'yaml',
    'kind: List\nitems: [{kind: List, items: []}]',
    ['1: this List has no items, or is within a List'],
  ],
  ['kinds that we do not read', 'yaml', 'kind: ConfigMap\nmetadata: {name: a}', []],
  [
    'the same kind of another group',
    'yaml',
    'apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}',
    [],
  ],
  [
    'an Ingress and its class, which has no namespace',
    'yaml',
    'kind: Ingress\nmetadata: {name: a}\n---\nkind: IngressClass\nmetadata: {name: b, namespace: c}\n',
    ['Ingress/default/a', 'IngressClass//b'],
  ],
  [
    'a kind of our API groups that is misspelt',
    'yaml',
    'apiVersion: v1\nkind: Servcie\nmetadata: {name: a}',
    ['1: there is no kind "Servcie" in v1'],
  ],
  ['one that is not', 'yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}', []],
  ['a kind of another API group', 'yaml', 'apiVersion: example.com/v1\nkind: Servcie\nmetadata: {name: a}', []],
  [
    'an Ingress of a version that is gone',
    'yaml',
    'apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}',
    ['1: this Ingress is not of networking.k8s.io/v1'],
  ],
  ['merge keys', 'yaml', 'x: &m {name: a}\nkind: Secret\nmetadata: {<<: *m}', ['Secret/default/a']],
  ['kind is missing', 'yaml', 'metadata: {name: a}', ['1: this is no Kubernetes object: it has no kind']],
  ['a kind that every object has as a method', 'yaml', 'kind: toString\nmetadata: {name: a}', []],
  [
    'name is missing',
    'yaml',
    `---\n${service}---\nkind: Secret\n`,
    ['Service/default/web', '6: this Secret has no metadata.name'],
  ],
  ['bad indentation', 'yaml', 'a: [1\nb: 2\n', ['unreadable 2: it is not YAML: bad indent']],
  ['a key twice', 'yaml', `${service}kind: Secret\n`, ['unreadable 4: it is not YAML: duplicate key']],
  [
    'one bad document spoils the file',
    'yaml',
    `${service}---\n\ta: b\n`,
    ['unreadable 5: it is not YAML: tab as indent'],
  ],
  ['an alias without anchor', 'yaml', 'a: *b', ['unreadable 1: it is not YAML: bad alias']],
  [
    'an alias of itself',
    'yaml',
    'kind: Service\nmetadata: &m {name: a, me: *m}',
    ['unreadable 1: it is not YAML: bad alias'],
  ],
  [
    'aliases that multiply',
    'yaml',
    `a: &a [x,x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((at, i) => `${at}: &${at} [${Array(10).fill(`*${'abcdefghi'[i]}`)}]\n`).join('')}`,
    ['unreadable 1: it is not YAML: bad alias'],
  ],
  ['nested beyond reason', 'yaml', '['.repeat(200_000), ['unreadable 1: it is not YAML: resource exhaustion']],
  ['JSON with a comma too many', 'json', '{\n"kind": "List",\n}', ['unreadable 3: it is not JSON']],
  ['JSON cut off', 'json', '{"kind":\n"Li', ['unreadable 2: it is not JSON']],
]
for (const [name, format, text, want] of cases)
  test(name, () => {
    const file = parseManifest(text, format)
    const got =
      file.kind === 'unreadable'
        ? [`unreadable ${file.fault.line}: ${file.fault.reason}`]
        : [...file.objects.map(identityOf), ...file.faults.map(({ line, reason }) => `${line}: ${reason}`)]
    expect(got).toEqual(want)
  })
