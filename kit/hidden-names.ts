// Texts for one tenant must not tell how objects of others are called. The router's Problems name objects as `Service a/b`,
// `Ingress a/b`, `Secret a/b`, and in no other way.

const reference = /\b(Service|Ingress|Secret) ([a-z0-9][a-z0-9.-]*)\/([a-z0-9.-]*[a-z0-9])/g

/** `text` with every object in a namespace that `mayKnow` says no to as `a Service of somebody else`. */
export function hideNames(text: string, mayKnow: (namespace: string) => boolean): string {
  return text.replace(reference, (whole, kind: string, namespace: string) =>
    mayKnow(namespace) ? whole : `${kind === 'Ingress' ? 'an' : 'a'} ${kind} of somebody else`,
  )
}
