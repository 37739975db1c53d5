// What helm tells the person who has installed the router.

import { beforeAll, describe, expect, test } from 'vitest'
import { helm } from '../cluster/helm.ts'
import { notes, type Values } from './chart.ts'
import { workflowChart } from './workflow-chart.ts'

beforeAll(() => helm(), 600_000)

describe('what helm says when it has installed', () => {
  const cases: readonly [name: string, values: Values, says: readonly string[], not: readonly string[]][] = [
    [
      'defaults',
      {},
      [
        'status.loadBalancer.ingress',
        'ingressClassName is deis',
        'secret tls deis-router-platform-cert',
        'certificates: [',
      ],
      ['WARNING'],
    ],
    [
      'a DaemonSet on ports of the nodes',
      { kind: 'DaemonSet', host_port: { enabled: true } },
      ['daemonset/deis-router', 'ports 80 and 443'],
      ['WARNING'],
    ],
    ['node ports', { service: { type: 'NodePort' } }, ['.spec.ports'], ['WARNING']],
    ['inside of the cluster', { service: { type: 'ClusterIP', healthz: true } }, ['port-forward'], ['WARNING']],
    ['no Ingress objects', { ingress: { enabled: false } }, [], ['ingressClassName']],
    ['every Secret', { secrets: { clusterWide: true } }, ['may read all other Secrets too'], ['certificates: [']],
    ['no roles', { rbac: { create: false } }, ['WARNING: no Roles were made (rbac.create is off)'], []],
    [
      'no roles, the old way',
      { global: { use_rbac: false } },
      ['WARNING: no Roles were made (global.use_rbac is off)'],
      [],
    ],
    ['an old image', { docker_tag: 'v2.16.0' }, ['they are ignored', 'The image is deis-router:'], []],
    ['old limits', { limits_memory: '50Mi' }, ['WARNING: limits_memory 50Mi'], []],
    ['the admin port for the public', { service: { healthz: true } }, ['WARNING: port 9090'], []],
    ['no router', { global: { experimental_native_ingress: true } }, ['not installed'], ['kubectl']],
  ]
  for (const [name, values, says, not] of cases)
    test(name, async () => {
      const text = await notes(values)
      for (const part of says) expect(text).toContain(part)
      for (const part of not) expect(text).not.toContain(part)
    })
})

// Somebody rendered the chart as it is, and no node could pull its images.
describe('what the chart of the whole platform warns of', () => {
  const images = {
    workflow: { repository: 'registry.example.com/deis-workflow' },
    builder: { repository: 'registry.example.com/deis-builder' },
  }
  const global = { platform_domain: 'apps.example.com' }
  const noImages = 'WARNING: images.workflow.repository and images.builder.repository name no registry'
  const noDomain = 'WARNING: global.platform_domain is empty'
  const cases: readonly [name: string, values: Values, says: readonly string[], not: readonly string[]][] = [
    ['defaults', {}, [noImages, noDomain], []],
    ['images and a domain', { images, global }, ['http://deis.apps.example.com'], ['WARNING']],
    ['only one of the images', { images: { workflow: images.workflow }, global }, [noImages], [noDomain]],
  ]
  for (const [name, values, says, not] of cases)
    test(name, async () => {
      const text = await notes(values, workflowChart)
      for (const part of says) expect(text).toContain(part)
      for (const part of not) expect(text).not.toContain(part)
    })
})
