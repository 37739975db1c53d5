// Kubernetes objects with only the fields that we read. Everything is optional that the API server may leave out.

export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly creationTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
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
}

/** core/v1 Service. */
export interface Service extends KubeObject {
  readonly spec?: { readonly type?: string; readonly ports?: readonly ServicePort[]; readonly externalName?: string }
}

/** discovery.k8s.io/v1 EndpointSlice; label `kubernetes.io/service-name` names its Service. */
export interface EndpointSlice extends KubeObject {
  readonly addressType?: 'IPv4' | 'IPv6' | 'FQDN'
  readonly endpoints?: readonly {
    readonly addresses: readonly string[]
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
    readonly zone?: string
    readonly nodeName?: string
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
