// What helm refuses before it asks a cluster, and what it must not refuse.

import { beforeAll, describe, expect, test } from 'vitest'
import { helm } from '../cluster/helm.ts'
import { render, type Values } from './chart.ts'

beforeAll(() => helm(), 600_000)

describe('refused', () => {
  const cases: readonly [name: string, values: Values, complaint: string][] = [
    ['a key that is none', { replica: 2 }, "additional properties 'replica' not allowed"],
    [
      'a key that is none, further down',
      { service: { typ: 'NodePort' } },
      "'/service': additional properties 'typ' not allowed",
    ],
    ['a kind that is none', { kind: 'StatefulSet' }, "'/kind': value must be one of"],
    ['replicas as a text', { replicas: 'two' }, "'/replicas': got string, want integer"],
    ['fewer than no replicas', { replicas: -1 }, "'/replicas': minimum"],
    [
      'a type of Service that leads nowhere',
      { service: { type: 'ExternalName' } },
      "'/service/type': value must be one of",
    ],
    ['settings that are a list', { settings: ['bodySize=10m'] }, "'/settings': got array, want object"],
    ['a setting that is a list', { settings: { proxyRealIpCidrs: ['10.0.0.0/8'] } }, "'/settings/proxyRealIpCidrs'"],
    ['a setting that the router does not know', { settings: { bodysize: '10m' } }, 'knows no "bodysize"'],
    ['the same, nested', { settings: { ssl: { enfroce: true } } }, 'knows no "ssl.enfroce"'],
    [
      'certificates without a namespace',
      { certificates: [{ secrets: ['shop-cert'] }] },
      "'/certificates/0': missing property 'namespace'",
    ],
    [
      'certificates without Secrets',
      { certificates: [{ namespace: 'shop', secrets: [] }] },
      "'/certificates/0/secrets': minItems",
    ],
    ['a Secret by a pattern', { certificates: [{ namespace: 'shop', secrets: ['*'] }] }, "'/certificates/0/secrets/0'"],
    ['a zone that cannot be', { zone: 'eu 1a' }, "'/zone'"],
    ['a namespace that cannot be', { watchNamespace: 'Shop' }, "'/watchNamespace'"],
    ['an annotation that is an object', { service: { annotations: { a: {} } } }, "'/service/annotations/a'"],
    ['a port beyond all ports', { host_port: { enabled: true, http: 80_000 } }, "'/host_port/http': maximum"],
    ['a tag with a colon', { image: { tag: 'a:b' } }, "'/image/tag'"],
    ['a digest that is none', { image: { digest: 'latest' } }, "'/image/digest'"],
    ['a misspelt policy', { image: { pullPolicy: 'always' } }, "'/image/pullPolicy': value must be one of"],
    ['no data threads', { workers: 0 }, "'/workers': minimum"],
    ['an IngressClass without a name', { ingress: { class: { name: '' } } }, "'/ingress/class/name'"],
    ['a controller without a path', { ingress: { controller: 'deis' } }, "'/ingress/controller'"],
    [
      'an address with a comma',
      { ingress: { publishAddresses: ['1.2.3.4,5.6.7.8'] } },
      "'/ingress/publishAddresses/0'",
    ],
    [
      'a probe with a misspelt field',
      { readinessProbe: { periodSecond: 1 } },
      "'/readinessProbe': additional properties 'periodSecond' not allowed",
    ],
    [
      'more pods at least than at most',
      { autoscaling: { enabled: true, minReplicas: 9, maxReplicas: 3 } },
      'minReplicas is above maxReplicas',
    ],
    [
      'scaling by nothing',
      { autoscaling: { enabled: true, targetCPUUtilizationPercentage: null } },
      'it needs targetCPUUtilizationPercentage or metrics',
    ],
    [
      'a pod that is killed while it drains',
      { drain: { timeout: 60 }, terminationGracePeriodSeconds: 60 },
      'leaves no time after drain.delay and drain.timeout, 65 together',
    ],
    ['dhparam that is none', { dhparam: 'c2VjcmV0' }, 'dhparam: neither PEM'],
    [
      'a switch as a text',
      { global: { experimental_native_ingress: 'yes' } },
      "'/global/experimental_native_ingress': got string, want boolean",
    ],
    ['a part that is missing', { autoscaling: null }, "missing property 'autoscaling'"],
    ['an image without a name', { image: { repository: null } }, "'/image': missing property 'repository'"],
    ['host_port as a switch', { host_port: true }, "'/host_port': got boolean, want object"],
  ]
  for (const [name, values, complaint] of cases)
    test(name, async () => {
      await expect(render(values)).rejects.toThrow(complaint)
    })

  test('what may be left out may be null', async () => {
    const values = [
      'resources',
      'settings',
      'certificates',
      'podLabels',
      'affinity',
      'topologySpreadConstraints',
      'global',
    ]
    const { spec } = (
      await render({ ...Object.fromEntries(values.map(key => [key, null])), service: { annotations: null } })
    ).workload()
    expect(spec.template.spec.containers[0].resources).toEqual({})
  })

  test('a parent chart may share whatever it likes as global, and a condition', async () => {
    await render({ enabled: true, global: { storage: 's3', use_rbac: true } })
  })
})
