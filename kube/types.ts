// Kubernetes objects with only the fields that we read or write. Everything is optional that the API server may leave out.

export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly creationTimestamp?: string
  /** When it will be gone at the latest; present: it is on its way out. */
  readonly deletionTimestamp?: string
  /** Of the spec. */
  readonly generation?: number
  /** Who set which fields; we read our own entries. */
  readonly managedFields?: readonly ManagedFields[]
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export interface ManagedFields {
  readonly manager?: string
  readonly operation?: string
  readonly subresource?: string
  readonly time?: string
  readonly fieldsV1?: unknown
}

export interface KubeObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: ObjectMeta
}

export interface ServicePort {
  readonly name?: string
  readonly port: number
  readonly protocol?: string
  readonly appProtocol?: string
  readonly targetPort?: number | string
}

/** One address of a load balancer, as Services and Ingresses have it in their status. */
export interface LoadBalancerAddress {
  readonly ip?: string
  readonly hostname?: string
  readonly ports?: readonly { readonly port: number; readonly protocol?: string; readonly error?: string }[]
}

export interface LoadBalancerStatus {
  readonly loadBalancer?: { readonly ingress?: readonly LoadBalancerAddress[] }
}

/** core/v1 Service. */
export interface Service extends KubeObject {
  readonly spec?: {
    readonly type?: string
    readonly ports?: readonly ServicePort[]
    readonly externalName?: string
    readonly clusterIP?: string
    readonly externalIPs?: readonly string[]
    readonly selector?: Readonly<Record<string, string>>
  }
  readonly status?: LoadBalancerStatus
}

/** discovery.k8s.io/v1 EndpointSlice; label `kubernetes.io/service-name` names its Service. */
export interface EndpointSlice extends KubeObject {
  readonly addressType?: 'IPv4' | 'IPv6' | 'FQDN'
  readonly endpoints?: readonly {
    readonly addresses: readonly string[]
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
    readonly zone?: string
    readonly nodeName?: string
    readonly hints?: { readonly forZones?: readonly { readonly name: string }[] }
  }[]
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[]
}

/** core/v1 Secret. Values of `data` are base64; `stringData` occurs in manifests only. */
export interface Secret extends KubeObject {
  readonly type?: string
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
}

/** apps/v1 Deployment: we read its annotations. */
export interface Deployment extends KubeObject {}

/** apps/v1 DaemonSet: we read its annotations. */
export interface DaemonSet extends KubeObject {}

/** One of the two. */
export interface IngressBackend {
  readonly service?: { readonly name: string; readonly port?: { readonly name?: string; readonly number?: number } }
  readonly resource?: { readonly apiGroup?: string; readonly kind: string; readonly name: string }
}

export interface IngressPath {
  readonly path?: string
  readonly pathType?: string
  readonly backend: IngressBackend
}

/** networking.k8s.io/v1 Ingress. */
export interface Ingress extends KubeObject {
  readonly spec?: {
    readonly ingressClassName?: string
    readonly defaultBackend?: IngressBackend
    readonly rules?: readonly { readonly host?: string; readonly http?: { readonly paths: readonly IngressPath[] } }[]
    readonly tls?: readonly { readonly hosts?: readonly string[]; readonly secretName?: string }[]
  }
  readonly status?: LoadBalancerStatus
}

/** networking.k8s.io/v1 IngressClass: it has no namespace. */
export interface IngressClass extends KubeObject {
  readonly spec?: {
    readonly controller?: string
    readonly parameters?: {
      readonly apiGroup?: string
      readonly kind: string
      readonly name: string
      readonly scope?: string
      readonly namespace?: string
    }
  }
}
