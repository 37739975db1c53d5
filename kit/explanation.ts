// Why a URL is answered as it is: what the router's `GET /explain?url=` says, what the controller passes on of it, and what
// `deis` prints. Plain data; every text is a whole sentence or clause for people, every other field is for programs.

/** An object of Kubernetes, or of a manifest. */
export interface ExplainedObject {
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** What a request gets. */
export type ExplainedOutcomeKind =
  /** The app answers, or what the default tier has in its place. */
  | 'app'
  | 'maintenance'
  /** Nothing is ready behind the route. */
  | 'no-endpoint'
  | 'redirect'
  /** Nobody is let in. */
  | 'refused'
  /** The router's own `/healthz`. */
  | 'health'
  /** No route: 404. */
  | 'not-found'
  /** Somebody else's, of which the asker may know no more. */
  | 'hidden'

export interface ExplainedOutcome {
  readonly kind: ExplainedOutcomeKind
  /** What the router answers itself; null: what the app says. */
  readonly status: number | null
  /** Where a redirect leads. */
  readonly location: string | null
  readonly text: string
}

export interface ExplainedRoute {
  readonly id: string
  /** What the route was made of; null: the router's own settings. */
  readonly object: ExplainedObject | null
  /** Its name in logs and metrics. */
  readonly app: string
  /** `www.example.com`, `*.example.com`, `foo.*`, `~EXPRESSION.*`, `*` (whatever nobody names), `default`. */
  readonly host: string
  /** `= /x` is that path alone, `/x` it and the segments below it, `/x*` whatever begins with it. */
  readonly path: string
  /** Whether it is there on the HTTPS port too. */
  readonly https: boolean
  /** Why this one. */
  readonly text: string
}

export interface ExplainedCertificate {
  /** `own`: the route names it; `platform`: the one for what has none; `self-signed`: there is no other. */
  readonly kind: 'own' | 'platform' | 'self-signed'
  /** The Secret; null for the router's own, or one that the asker may not know. */
  readonly secret: ExplainedObject | null
  /** The DNS names that it is for. */
  readonly names: readonly string[]
  /** Whether they match the host of the URL: if not, clients complain. */
  readonly matches: boolean
  /** ISO 8601. */
  readonly expires: string
  readonly fingerprint: string
  /** Why this one. */
  readonly text: string
}

/** Something between the request and the app, in the order in which it is looked at. */
export interface ExplainedPolicy {
  readonly kind:
    | 'body-size'
    | 'maintenance'
    | 'endpoints'
    | 'enforce-https'
    | 'allow-list'
    | 'client-certificate'
    | 'limits'
    | 'timeouts'
  /** `answers`: the request ends there. `passes`: it does not. `depends`: on what the URL does not tell. */
  readonly effect: 'answers' | 'passes' | 'depends'
  readonly values: Readonly<Record<string, string | number | boolean | readonly string[]>>
  readonly text: string
}

export interface ExplainedEndpoint {
  /** `10.0.0.1:8080`, `[fd00::1]:8080`. */
  readonly address: string
  /** `leaving`: it ends, but serves while no other is ready. */
  readonly state: 'ready' | 'leaving' | 'not-ready'
  /** Whether requests go there now. */
  readonly used: boolean
  /** Meant for clients in other zones. */
  readonly far: boolean
}

export interface ExplainedUpstream {
  /** `NAMESPACE/NAME:PORT` of the Service. */
  readonly id: string
  /** What is spoken to endpoints. */
  readonly protocol: string
  /** How one is chosen. */
  readonly balance: string
  /** Of all endpoints; what follows may be fewer. */
  readonly total: number
  readonly ready: number
  readonly endpoints: readonly ExplainedEndpoint[]
}

/** Something that wanted this URL too, and does not get it. */
export interface ExplainedOther {
  /** Null: one that the asker may not know. */
  readonly object: ExplainedObject | null
  readonly host: string
  readonly path: string
  readonly reason: /** The host belongs to another object. */
    | 'host-taken'
    /** The path of the host belongs to another object. */
    | 'path-taken'
    /** The winner's host says more. */
    | 'less-specific-host'
    /** The winner's path says more. */
    | 'less-specific-path'
    /** It has the host, but for other paths. */
    | 'other-path'
    /** It is not on HTTPS, for want of a certificate. */
    | 'not-https'
    /** `router.deis.io/routable` is not `true`. */
    | 'not-routable'
    /** An Ingress of a class that is not ours. */
    | 'other-class'
  /** Who has it instead; null: nobody, or one that the asker may not know. */
  readonly owner: ExplainedObject | null
  readonly text: string
}

export interface ExplainedProblem {
  readonly code: string
  readonly severity: 'error' | 'warning'
  readonly object: ExplainedObject
  readonly message: string
  /** ISO 8601. */
  readonly since: string
}

export interface Explanation {
  /** As it was understood. */
  readonly url: string
  readonly scheme: 'http' | 'https'
  /** Lower case, without port. */
  readonly host: string
  /** Raw, without query. */
  readonly path: string
  /** Of the configuration that this is true of. */
  readonly version: number
  readonly outcome: ExplainedOutcome
  /** Null: there is none. */
  readonly route: ExplainedRoute | null
  /** What a handshake for the host shows; null: the URL is plain HTTP. */
  readonly certificate: ExplainedCertificate | null
  readonly policies: readonly ExplainedPolicy[]
  readonly upstream: ExplainedUpstream | null
  readonly others: readonly ExplainedOther[]
  /** How many more there are. */
  readonly othersLeftOut: number
  /** Of the objects above, and those that name the host. */
  readonly problems: readonly ExplainedProblem[]
  /** Hosts that there are, when the one asked for is not: did you mean one of these? */
  readonly nearest: readonly string[]
}
