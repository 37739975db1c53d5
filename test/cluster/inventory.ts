// All that there is in a cluster, by name: to see what an installation leaves behind.

interface ResourceList {
  readonly resources: readonly {
    readonly name: string
    readonly verbs: readonly string[]
  }[]
}

interface GroupList {
  readonly groups: readonly { readonly preferredVersion: { readonly groupVersion: string } }[]
}

interface ObjectList {
  readonly items?: readonly { readonly metadata: { readonly name: string; readonly namespace?: string } }[] | null
}

/** As much of an API client as is needed. */
type Get = <T>(method: 'GET', path: string) => Promise<T>

/**
 * The names of all objects of all kinds that can be listed, as `resource.group namespace/name`, sorted. Without Events,
 * which expire, and without what a kubelet or the API server makes anew for itself while it runs.
 */
export async function inventory(get: Get): Promise<readonly string[]> {
  const { groups } = await get<GroupList>('GET', '/apis')
  const paths = ['/api/v1', ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)]
  const found = await Promise.all(
    paths.map(async path => {
      const { resources } = await get<ResourceList>('GET', path)
      const group = path === '/api/v1' ? '' : `.${path.split('/')[2]}`
      const listed = resources.filter(({ name, verbs }) => verbs.includes('list') && name !== 'events')
      const names = await Promise.all(
        listed.map(async ({ name }) => {
          const { items } = await get<ObjectList>('GET', `${path}/${name}`)
          return (items ?? []).map(
            ({ metadata }) => `${name}${group} ${[metadata.namespace, metadata.name].filter(Boolean).join('/')}`,
          )
        }),
      )
      return names.flat()
    }),
  )
  return found.flat().sort()
}
