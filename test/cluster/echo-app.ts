// An app of the echo image as a platform would run it: its Deployment, and the annotated Service that routes to it.

const container = {
  name: 'echo',
  image: 'localhost/echo:1',
  imagePullPolicy: 'Never',
  ports: [{ containerPort: 8080 }],
  readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
}

/** For a POST to `/apis/apps/v1/namespaces/NAMESPACE/deployments`. */
export function echoDeployment(name: string, replicas: number): object {
  return {
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [container], enableServiceLinks: false, terminationGracePeriodSeconds: 5 },
      },
    },
  }
}

/**
 * A Service of the pods of the Deployment `app`, or without one of what EndpointSlices say; for a POST to
 * `/api/v1/namespaces/NAMESPACE/services`. With annotations, whose keys are without their prefix, it is routable.
 */
export function echoService(name: string, app: string | null, annotations?: Readonly<Record<string, string>>): object {
  const prefixed = Object.entries(annotations ?? {}).map(([key, value]) => [`router.deis.io/${key}`, value])
  return {
    metadata: {
      name,
      labels: annotations === undefined ? {} : { 'router.deis.io/routable': 'true' },
      annotations: Object.fromEntries(prefixed),
    },
    spec: {
      ...(app === null ? {} : { selector: { app } }),
      ports: [{ name: 'http', port: 80, targetPort: 8080 }],
    },
  }
}
