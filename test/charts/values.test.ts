// Settings on their way to the router, and values of the original chart.

import { beforeAll, describe, expect, test } from 'vitest'
import { readRouterSettings } from '#router/control/router-settings.ts'
import type { ObjectRef } from '#router/model/problem.ts'
import { helm } from '../cluster/helm.ts'
import { render, type Values } from './chart.ts'

beforeAll(() => helm(), 600_000)

const prefix = 'router.deis.io/nginx.'
const self: ObjectRef = { kind: 'Deployment', namespace: 'deis', name: 'deis-router' }
const dhparam = '-----BEGIN DH PARAMETERS-----\nMEYCQQ==\n-----END DH PARAMETERS-----\n'

async function annotations(values: Values): Promise<Readonly<Record<string, string>>> {
  return (await render(values)).workload().metadata.annotations ?? {}
}

describe('settings', () => {
  test('are annotations of the workload, which the router takes as they were meant', async () => {
    const given = await annotations({
      settings: {
        bodySize: '10m',
        requestIDs: true,
        defaultTimeout: 1_300_000,
        platformDomain: 'apps.example.com',
        proxyRealIpCidrs: '10.0.0.0/8, 192.168.0.0/16',
        'ssl.enforce': true,
        ssl: { hsts: { enabled: true, maxAge: 15_552_000 } },
      },
    })
    expect(given).toEqual({
      [`${prefix}bodySize`]: '10m',
      [`${prefix}requestIDs`]: 'true',
      [`${prefix}defaultTimeout`]: '1300000',
      [`${prefix}platformDomain`]: 'apps.example.com',
      [`${prefix}proxyRealIpCidrs`]: '10.0.0.0/8, 192.168.0.0/16',
      [`${prefix}ssl.enforce`]: 'true',
      [`${prefix}ssl.hsts.enabled`]: 'true',
      [`${prefix}ssl.hsts.maxAge`]: '15552000',
    })
    const { settings, problems } = readRouterSettings(given, self, null)
    expect(problems.filter(({ code }) => code === 'invalid-annotation')).toEqual([])
    expect(settings).toMatchObject({ bodySize: 10 * 1024 * 1024, requestIds: true, defaultTimeout: 1_300_000_000 })
    expect(settings.tls).toMatchObject({ enforce: true, hsts: { enabled: true } })
  })

  test('every one that the router reads is known to the chart', async () => {
    const asked = new Set<string>()
    const nothing = new Proxy<Record<string, string>>(
      {},
      {
        getOwnPropertyDescriptor(_, key) {
          asked.add(String(key))
          return undefined
        },
      },
    )
    readRouterSettings(nothing, self, null)
    const isRetired = (key: string): boolean =>
      readRouterSettings({ [key]: 'x' }, self, null).problems.some(({ message }) => message.includes('is retired'))
    const names = [...asked].filter(key => !isRetired(key)).map(key => key.slice(prefix.length))
    expect(names.length).toBeGreaterThan(50)
    const given = await annotations({ settings: Object.fromEntries(names.map(name => [name, 'x'])) })
    expect(Object.keys(given).sort()).toEqual(names.map(name => prefix + name).sort())
  })

  test('none: no annotations', async () => {
    expect((await render()).workload().metadata).not.toHaveProperty('annotations')
  })
})

describe('values of the original chart', () => {
  test('a whole file of them', async () => {
    const rendering = await render({
      org: 'deis',
      pull_policy: 'Always',
      docker_tag: 'v2.16.0',
      platform_domain: 'apps.example.com',
      dhparam: Buffer.from(dhparam).toString('base64'),
      limits_cpu: '500m',
      limits_memory: '512Mi',
      requests_cpu: 1,
      requests_memory: '300Mi',
      deployment_annotations: { [`${prefix}bodySize`]: '5m', 'example.com/max': 1_000_000, 'example.com/on': true },
      service_annotations: { 'service.beta.kubernetes.io/aws-load-balancer-proxy-protocol': '*' },
      host_port: { enabled: true },
      service_type: 'NodePort',
      global: { experimental_native_ingress: false, use_rbac: true, api_group: 'apps/v1' },
    })
    const { metadata, spec } = rendering.workload()
    expect(metadata.annotations).toEqual({
      [`${prefix}platformDomain`]: 'apps.example.com',
      [`${prefix}bodySize`]: '5m',
      'example.com/max': '1000000',
      'example.com/on': 'true',
    })
    const [container] = spec.template.spec.containers
    // Its image is not the original's: that could not run with these variables and permissions.
    expect(container).toMatchObject({
      image: expect.stringMatching(/^deis-router:/),
      imagePullPolicy: 'Always',
      resources: { limits: { cpu: '500m', memory: '512Mi' }, requests: { cpu: '1', memory: '300Mi' } },
    })
    expect(container.ports).toContainEqual(expect.objectContaining({ containerPort: 8080, hostPort: 80 }))
    const service = rendering.one('Service', 'deis-router')
    expect(service.spec.type).toBe('NodePort')
    expect(service.metadata.annotations).toEqual({
      'service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout': '1200',
      'service.beta.kubernetes.io/aws-load-balancer-proxy-protocol': '*',
    })
    const secret = rendering.one('Secret', 'deis-router-dhparam')
    expect(Buffer.from(secret.data.dhparam, 'base64').toString()).toBe(dhparam)
    expect(rendering.all('ClusterRole')).toHaveLength(1)
  })

  test('its defaults, written out', async () => {
    const rendering = await render({
      org: 'deisci',
      pull_policy: 'Always',
      docker_tag: 'canary',
      platform_domain: '',
      dhparam: '',
      deployment_annotations: null,
      service_annotations: null,
      host_port: { enabled: false },
      global: { experimental_native_ingress: false },
    })
    expect(rendering.workload().metadata).not.toHaveProperty('annotations')
    expect(rendering.all('Secret').map(({ metadata }) => metadata?.name)).toEqual(['deis-router-ticket-keys'])
    expect(JSON.stringify(rendering.workload())).not.toContain('hostPort')
  })

  test('service_annotations beat ours; new settings beat old ones', async () => {
    const idle = 'service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout'
    const rendering = await render({
      service_annotations: { [idle]: 3600 },
      platform_domain: 'old.example.com',
      settings: { platformDomain: 'new.example.com' },
    })
    expect(rendering.one('Service', 'deis-router').metadata.annotations?.[idle]).toBe('3600')
    expect(rendering.workload().metadata.annotations?.[`${prefix}platformDomain`]).toBe('new.example.com')
  })

  const memory: readonly [name: string, values: Values, want: object][] = [
    ['neither: ours', {}, { limits: { memory: '2Gi' }, requests: { cpu: '100m', memory: '256Mi' } }],
    [
      'a limit below our request',
      { limits_memory: '200Mi' },
      { limits: { memory: '200Mi' }, requests: { cpu: '100m' } },
    ],
    ['a request above our limit', { requests_memory: '3Gi' }, { limits: {}, requests: { cpu: '100m', memory: '3Gi' } }],
    ['a limit of CPU', { limits_cpu: 2 }, { limits: { cpu: '2', memory: '2Gi' }, requests: { memory: '256Mi' } }],
  ]
  for (const [name, values, want] of memory)
    test(`limits and requests never contradict each other: ${name}`, async () => {
      const [container] = (await render(values)).workload().spec.template.spec.containers
      expect(container.resources).toEqual(want)
    })

  for (const key of ['experimental_native_ingress', 'use_native_ingress'])
    test(`global.${key}: the router is not installed`, async () => {
      expect((await render({ global: { [key]: true } })).objects).toEqual([])
    })

  test('dhparam as PEM', async () => {
    const secret = (await render({ dhparam: dhparam.trim() })).one('Secret', 'deis-router-dhparam')
    expect(Buffer.from(secret.data.dhparam, 'base64').toString()).toBe(dhparam)
  })
})
