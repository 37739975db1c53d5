// Every statement that the suite holds the router to, in our own words. `§S.N` are what a Deis router promises, by
// section of that contract; `I-…` what an Ingress controller does. `index.test.ts` sees to it that each has a row.

export interface Statement {
  readonly says: string
  /** Why we do something else on purpose; the compatibility table of README.md names the id. */
  readonly differs?: string
  /** The test that shows it where a row of this suite cannot: that file has the id in it. */
  readonly shownBy?: string
}

export const statements: Readonly<Record<string, Statement>> = {
  // 1. Objects
  '§1.1': { says: 'only a Service whose label routable is exactly "true" is routed' },
  '§1.2': {
    says: 'traffic goes to what is behind port 80 of the Service, whatever its targetPort',
    differs: 'straight to the pods rather than to the ClusterIP, so that a change of pods is in force at once',
  },
  '§1.3': { says: 'a Secret that lacks one of its two keys counts as absent; the app stays on plain HTTP' },
  '§1.4': { says: 'the type of a certificate Secret is not looked at' },
  '§1.5': { says: 'the settings are annotations of the Deployment deis-router itself, in the namespace of the router' },

  // 2. Ports
  '§2.1': { says: 'HTTP/1.x on the plain port, no HTTP/2 in the clear' },
  '§2.2': { says: 'the HTTPS port negotiates by ALPN: h2 and http/1.1' },
  '§2.3': { says: 'the admin port is plain HTTP, and never expects a PROXY header' },
  '§2.4': {
    says: 'no port for traffic listens before the first whole configuration, so that the pod is not ready',
    differs: 'the admin port answers 503 and says what it waits for',
  },

  // 3. Reading annotations
  '§3.1': { says: 'booleans in any letter case; 1, yes and on are none' },
  '§3.2': { says: 'a bad value costs its own key, and the warning names key, value and default' },
  '§3.3': { says: 'one bad domain discards the whole list, so that the app is gone' },
  '§3.4': {
    says: 'one bad entry discards the whole whitelist',
    differs: 'nobody gets in rather than everybody: a typing error must not open an app',
  },
  '§3.5': { says: 'durations with and without a unit, also months and years' },
  '§3.6': { says: 'an empty domains, or one with blanks at its ends, routes nothing' },
  '§3.7': {
    says: 'empty elements of lists',
    differs: 'they are dropped, where a trailing comma once caught the platform apex or crashed the router',
  },
  '§3.8': { says: 'keys are case-sensitive, and unknown ones are ignored without a word' },
  '§3.9': {
    says: 'values that made a whole configuration unusable',
    differs: 'each costs its own object or key at most; all others go on changing',
  },
  '§3.10': {
    says: 'strings that were pasted into a configuration',
    differs: 'they are data: nothing of them is ever executed',
  },
  '§3.11': { says: 'retired keys are accepted, with a warning' },
  '§3.12': { says: 'lists take blanks around commas and any letter case' },

  // 4. Settings of the router
  '§4.1': { says: 'defaultTimeout ends an idle client connection' },
  '§4.2': { says: 'defaultTimeout is what tcpTimeout is without a value of its own' },
  '§4.3': { says: 'requestIDs is off by default' },
  '§4.4': { says: 'requestStartHeader is off by default, and adds the header when on' },
  '§4.5': { says: 'bodySize: a megabyte by default, more is 413, 0 lifts the limit' },
  '§4.6': {
    says: 'disableServerTokens hides the version in Server and in error pages',
    differs: 'the product is deis-router',
  },
  '§4.7': { says: 'http2Enabled: whether HTTP/2 is on offer by ALPN' },
  '§4.8': { says: 'ssl.useSessionTickets: sessions resume by ticket, or do not' },
  '§4.9': { says: 'ssl.hsts.enabled implies ssl.enforce for every app' },
  '§4.10': { says: 'ssl.hsts.maxAge, includeSubDomains and preload make up the value' },
  '§4.11': { says: 'ssl.enforce of the router holds for all apps' },
  '§4.12': { says: 'workerProcesses is how many workers there are' },

  // 5. Builder
  '§5.1': { says: 'raw octets both ways between the builder port and port 2222 of deis-builder' },
  '§5.2': { says: 'the PROXY header is required there too where it is switched on, and not passed on' },
  '§5.3': { says: 'no builder Service: the port is closed; it needs no label' },
  '§5.4': { says: 'whitelists do not apply to the builder' },
  '§5.5': { says: 'tcpTimeout of the builder ends a silent connection' },

  // 6. Apps
  '§6.1': { says: 'connectTimeout: no connection in time is 504' },
  '§6.2': { says: 'tcpTimeout: silence before the head of the answer is 504' },
  '§6.3': { says: 'tcpTimeout is about silence, not about the whole' },
  '§6.4': { says: 'tcpTimeout ends a silent WebSocket' },
  '§6.5': { says: 'maintenance of one app' },
  '§6.6': { says: 'ssl.enforce of one app' },
  '§6.7': { says: 'other ssl keys on a Service have no effect' },
  '§6.8': { says: 'proxyBuffers of an app go before those of the router' },
  '§6.9': { says: 'disableRequestStartHeader "true" opts an app out' },
  '§6.10': { says: "an app's referrerPolicy goes before the router's, and none suppresses it" },
  '§6.11': { says: 'the name of an app: label app or Service name, behind the namespace unless equal' },
  '§6.12': { says: 'proxyLocations: prefixes of another app, on all its domains, go to the handler' },
  '§6.13': { says: 'those prefixes are plain text, the longest wins, the path is passed as it is' },
  '§6.14': { says: 'timeouts, availability, maintenance and ssl.enforce of a location are the handler’s' },
  '§6.15': { says: 'whitelist, referrer policy and request start of a location are the host app’s' },
  '§6.16': { says: 'a handler without domains of its own is skipped' },
  '§6.17': {
    says: 'a proxyDomain that nobody has',
    differs: 'costs its own locations, where it froze every update',
  },

  // 7. Hosts
  '§7.1': { says: 'a domain with a dot is one host' },
  '§7.2': { says: 'a wildcard takes subdomains of any depth, never its apex' },
  '§7.3': { says: 'a dotless domain is one host below the platform domain, and nothing else' },
  '§7.4': { says: 'a dotless domain without a platform domain takes any parent, not the bare label' },
  '§7.5': { says: 'regexDomain takes hosts by either anchored expression below any parent' },
  '§7.6': { says: 'which names are domains' },
  '§7.7': { says: 'letter case, port and one trailing dot of Host do not matter; the app sees none of them' },
  '§7.8': { says: ':authority is as good as Host' },
  '§7.9': { says: 'exact beats the longest wildcard, that the first expression, that the default host' },
  '§7.10': {
    says: 'an absolute target names the host',
    differs:
      'when it contradicts Host the request is refused with 400: two readings of one request are how requests are smuggled',
  },
  '§7.11': { says: 'HTTP/1.0 without Host goes to the default host' },
  '§7.12': { says: 'of two Services with one name the first by namespace and name wins; the other is warned of' },
  '§7.13': {
    says: 'HTTP and HTTPS of a name that two Services claim',
    differs: 'one owner for both: nobody gets the HTTPS half of another’s host',
  },
  '§7.14': { says: 'the same domain twice in one Service is one' },

  // 8. TLS
  '§8.1': { says: 'a domain that certificates maps literally has that certificate' },
  '§8.2': { says: 'without a mapping, or without a whole Secret: default certificate and 404, even with enforce' },
  '§8.3': { says: 'dotless domains have the platform certificate; a mapping of one is ignored' },
  '§8.4': { says: 'dotless domains without a platform certificate have no HTTPS' },
  '§8.5': { says: 'a full name below the platform domain needs a mapping of its own' },
  '§8.6': { says: 'unknown or no server name: platform certificate or a made one; 404' },
  '§8.7': { says: 'the server name picks the certificate, Host the app; never 421' },
  '§8.8': { says: 'the whole chain of tls.crt is sent' },
  '§8.9': { says: 'plain HTTP on the HTTPS port is 400' },
  '§8.10': {
    says: 'a certificate that does not match its key',
    differs: 'costs nobody else anything, and the last good pair serves on, where it stopped all updates',
  },
  '§8.11': { says: 'over TLS the scheme is https, whatever fields say' },
  '§8.12': { says: 'on plain HTTP the last element of X-Forwarded-Proto, of any peer, is the scheme' },
  '§8.13': { says: 'the redirect: 301, scheme, host without port, target untouched, short HTML' },
  '§8.14': { says: 'the redirect spares no path of an annotated Service' },
  '§8.15': {
    says: 'Strict-Transport-Security on every answer past the redirect, whatever its status, when the scheme is https',
  },
  '§8.16': { says: 'no Strict-Transport-Security on wss, redirects, default host, maintenance or without pods' },
  '§8.17': { says: 'it is added even where the app sent one' },
  '§8.18': {
    says: 'two Services that map one domain',
    differs: 'the owner of the host serves its own certificate, not the one that was written last',
  },

  // 9. Pipeline
  '§9.1': { says: 'malformed requests, Host missing or doubled, both lengths, TRACE: 400 or 405' },
  '§9.2': { says: 'no such host: 404' },
  '§9.3': {
    says: 'early data',
    differs: 'is never accepted by the TLS library, so that there is no 425; a client’s Early-Data is stripped',
  },
  '§9.4': {
    says: 'a declared length over bodySize is 413 before redirect, maintenance and 503; chunked when it is crossed',
  },
  '§9.5': { says: 'maintenance beats the redirect; who is not on the whitelist gets 403' },
  '§9.6': { says: 'no ready pod: 503, before redirect and whitelist' },
  '§9.7': { says: 'the redirect also for clients that are not on the whitelist' },
  '§9.8': { says: 'the whitelist: 403' },
  '§9.9': { says: 'an app that refuses, resets or answers what is no HTTP: 502' },
  '§9.10': {
    says: 'retries',
    differs: 'a request goes to another pod when none of its octets left, or when it is safe to repeat',
  },
  '§9.11': { says: 'the default host: /healthz 200, empty, not logged; all else 404, on both ports' },
  '§9.12': { says: 'on hosts of apps /healthz is the app’s' },
  '§9.13': { says: 'the default service takes unknown hosts, without ids, redirects and whitelists' },
  '§9.14': {
    says: 'the default service over TLS',
    differs: 'is served with the default certificate, where unknown names fell to the first app',
  },
  '§9.15': { says: 'the maintenance page, octet by octet, without ids, HSTS and referrer policy' },
  '§9.16': { says: 'maintenance and methods', differs: '503 for all of them, where all but GET and HEAD got 405' },
  '§9.17': { says: 'a ready address in any slice will do' },

  // 10. Client address
  '§10.1': { says: 'behind a trusted peer the first untrusted of X-Forwarded-For from the right is the client' },
  '§10.2': { says: 'all of them trusted: the leftmost' },
  '§10.3': { says: 'ports are stripped, IPv6 is understood' },
  '§10.4': { says: 'a rightmost element that is no address: the peer' },
  '§10.5': { says: 'of an untrusted peer the field is ignored' },
  '§10.6': {
    says: 'with useProxyProtocol the header says who the client is, if the peer is trusted; X-Forwarded-For is ignored',
  },
  '§10.7': { says: 'PROXY version 1 and 2, on both ports; UNKNOWN and LOCAL: the peer' },
  '§10.8': { says: 'a connection without a valid header is closed without an answer' },
  '§10.9': { says: 'the admin port knows no PROXY header' },
  '§10.10': { says: 'extend: default list and app list together; override: the app’s if it has one' },
  '§10.11': { says: 'a whitelist is in force when any of the three keys is set; enforced without a list: 403 for all' },
  '§10.12': {
    says: 'IPv6 clients and whitelists',
    differs: 'lists take IPv6 too; 0.0.0.0/0 still does not cover it',
  },
  '§10.13': { says: 'not for the default host, nor for the admin port' },
  '§10.14': {
    says: 'the loopback rule of the admin port',
    differs: 'goes by the socket’s address, which no field can change',
  },
  '§10.15': { says: 'the port in a PROXY header decides neither scheme nor X-Forwarded-Port' },

  // 11. What the app gets
  '§11.1': { says: 'HTTP/1.1 and the target octet by octet' },
  '§11.2': { says: 'Host in lower case without its port' },
  '§11.3': { says: 'X-Forwarded-For is the one resolved address; the list is replaced' },
  '§11.4': { says: 'X-Forwarded-Proto is the effective scheme' },
  '§11.5': { says: 'X-Forwarded-Port is what the client sent, else 80 or 443' },
  '§11.6': {
    says: 'Connection and Upgrade',
    differs: 'an upgrade passes; else connections to pods are kept rather than closed',
  },
  '§11.7': { says: 'X-Request-Id: 32 lower-case hexadecimal digits, always fresh' },
  '§11.8': { says: 'X-Correlation-Id: fresh, or behind the client’s own and a comma' },
  '§11.9': { says: 'X-Request-Start: seconds with three digits behind t=' },
  '§11.10': { says: 'X-Real-IP, X-Forwarded-Host and Forwarded pass untouched' },
  '§11.11': { says: 'fields with an underscore in their name are dropped' },
  '§11.12': { says: 'Expect: 100-continue is answered' },
  '§11.13': {
    says: 'bodies',
    differs: 'stream as they come, chunked as chunked, where they were read whole first',
  },
  '§11.14': { says: 'Early-Data of a client does not reach the app' },

  // 12. Answers
  '§12.1': { says: 'both ids on answers of any status from the host of an app, not on maintenance and default host' },
  '§12.2': { says: 'Server and Date of the app are replaced' },
  '§12.3': {
    says: 'X-Accel fields are taken out',
    differs: 'X-Accel-Redirect does not make the router ask for another path',
  },
  '§12.4': { says: 'Location is never rewritten' },
  '§12.5': { says: 'Referrer-Policy on ten statuses only' },
  '§12.6': { says: 'gzip for requests that name it with a weight above 0' },
  '§12.7': { says: 'gzip for statuses 200, 403 and 404 and the listed types only' },
  '§12.8': { says: 'gzip from minLength on, or when the length is not known' },
  '§12.9': { says: 'what is compressed: coding, no length, weak ETag, also for HEAD' },
  '§12.10': { says: 'Vary on every answer that could be compressed, on no other' },
  '§12.11': { says: 'gzip.enabled, httpVersion, disable, types and vary' },
  '§12.12': { says: 'gzip.proxied decides about requests with Via' },
  '§12.13': {
    says: 'codings besides gzip',
    differs: 'brotli and zstd are used too for clients that prefer them; keys switch them off',
  },
  '§12.14': { says: 'octets go to the client as they come' },

  // 13. Limits
  '§13.1': { says: 'a request line over largeHeaderBuffersSize: 414' },
  '§13.2': {
    says: 'a field line over it, or all of them over count times size',
    differs: '431, which says what is wrong, where it was 400',
  },
  '§13.3': {
    says: 'the head of an answer over the buffer size is 502',
    differs: 'heads of 16 kB and more pass: 4 kB were too little for many',
  },
  '§13.4': { says: 'a client that stalls for 60 s: 408 or closed', shownBy: 'router/data/timeouts.test.ts' },
  '§13.5': { says: 'error bodies are short HTML with status and reason' },

  // 14. Access log and admin port
  '§14.1': {
    says: 'one line of 14 parts for each request',
    differs: 'on stdout: stderr has the router’s own log, and collectors read both',
  },
  '§14.2': { says: 'parts 0 to 6: time, app, client, user, status, request, octets sent' },
  '§14.3': { says: 'parts 7, 8: Referer and User-Agent in quotes' },
  '§14.4': { says: 'part 9: the server name in quotes, by kind of domain' },
  '§14.5': { says: 'parts 10, 12, 13: upstream, its time, the whole time' },
  '§14.6': { says: 'part 11: Host as it was sent' },
  '§14.7': {
    says: 'quotes, backslashes and octets that do not print are escaped',
    differs: 'a hyphen between blanks too, so that what a client sends cannot forge a part of the line',
  },
  '§14.8': { says: 'the app is empty where a request is rejected before routing' },
  '§14.9': { says: 'admin port: /healthz 200, unknown paths 404' },
  '§14.10': { says: '/stats is JSON and paths below /nginx_status are counters, for loopback peers only' },

  // 15. Changes
  '§15.1': { says: 'what changes is in force without a restart' },
  '§15.2': { says: 'a source that fails leaves the last configuration in force' },
  '§15.3': { says: 'changes leave open connections alone' },
  '§15.4': { says: 'the controller’s probe: app.ADDRESS.nip.io reaches a dotless app, unknown ones are 404' },
  '§15.5': { says: 'what the controller writes, as it writes it' },
  '§15.6': { says: 'the answers that an end-to-end suite of the platform waits for' },

  // 16. Settings of nginx
  '§16.1': { says: 'keys that only nginx knows are accepted and change nothing' },
  '§16.2': { says: 'logFormat: variables in it, - and a warning for unknown ones' },
  '§16.3': {
    says: 'ssl.protocols',
    differs: 'TLS 1.2 and 1.3 unless older ones are named; SSL never',
  },
  '§16.4': { says: 'ssl.ciphers with its groups flattened and unknown names dropped' },
  '§16.5': { says: 'ssl.sessionCache off: no sessions by id' },
  '§16.6': { says: 'loadModsecurityModule is an error that says: not enforced' },
  '§16.7': { says: 'ssl.earlyDataMethods is accepted with a warning' },
  '§16.8': { says: 'maxWorkerConnections caps the connections of a worker' },
  '§16.9': { says: 'proxyBuffers: an answer is read ahead of a slow client' },
  '§16.10': { says: 'errorLogLevel: debug makes the router’s own log say more' },
  '§16.11': { says: 'the Secret deis-router-dhparam holds the parameters of key exchange' },

  // Ingress: class
  'I-C1': { says: 'an Ingress is ours when its class names our controller; several classes may' },
  'I-C2': { says: 'an unknown class, or one of another controller: nothing is served' },
  'I-C3': { says: 'the old class annotation counts where there is no field; the field wins' },
  'I-C4': { says: 'neither field nor annotation: ignored, unless a flag adopts them' },
  'I-C5': { says: 'the default class is the API server’s business: an Ingress without class stays without' },
  'I-C6': { says: 'parameters of a class that nobody knows do not stop it' },
  'I-C7': { says: 'changes of class, or of the class itself, come into force at run time' },

  // Ingress: hosts
  'I-H1': { says: 'exact beats wildcard beats no host' },
  'I-H2': { says: 'a wildcard takes exactly one label' },
  'I-H3': { says: 'case and port of Host do not matter; a bare * is no host' },
  'I-H4': { says: 'Ingresses share a host; of equal paths the oldest wins and the other is told' },
  'I-H5': { says: 'a host none of whose paths match goes to the default backend, not to a less specific host' },

  // Ingress: paths
  'I-P1': { says: 'Exact: the whole path, case and trailing slash count' },
  'I-P2': { says: 'Prefix: segment by segment, its own trailing slash ignored' },
  'I-P3': { says: 'ImplementationSpecific', differs: 'is Prefix here, and an empty path is /' },
  'I-P4': { says: 'the longest path wins, Exact before Prefix at equal length, whatever the order' },
  'I-P5': { says: 'the query is no part of the path' },
  'I-P6': {
    says: 'paths are matched as they came and passed on as they came',
    differs: 'raw on both sides, so that router and app cannot read one path in two ways',
  },

  // Ingress: backends
  'I-B1': { says: 'ports by number or by name' },
  'I-B2': { says: 'a resource backend costs its own path only' },
  'I-B3': { says: 'Services and Secrets are those of the Ingress’s own namespace' },
  'I-B4': { says: 'missing Service, missing port or no ready pod: 503 for that path, until it is there' },
  'I-B5': { says: 'all ready endpoints of all slices are used; terminating ones as a last resort' },
  'I-B6': { says: 'ExternalName only with its flag, and never loopback or link-local' },
  'I-B7': { says: 'defaultBackend takes what no rule does' },
  'I-B8': { says: 'an appProtocol hint of WebSocket works' },

  // Ingress: TLS
  'I-T1': { says: 'tls names hosts and the Secret with their certificate' },
  'I-T2': { says: 'exact name, one-label wildcard, default certificate' },
  'I-T3': { says: 'without hosts the entry is for those of the rules; without Secret it is the default certificate' },
  'I-T4': { says: 'server name and Host may differ: one picks the certificate, the other the route' },
  'I-T5': {
    says: 'two certificates for a host: the oldest Ingress’s',
    differs: 'that of the Ingress with the path / goes first, so that who adds a path does not get at the certificate',
  },
  'I-T6': { says: 'a Secret that is missing or broken: default or last good certificate, and repaired at once' },
  'I-T7': {
    says: 'plain HTTP is served unless the redirect is on, which spares ACME challenges, also from other Ingresses',
  },

  // Ingress: keys of ours
  'I-K1': { says: 'keys of an app’s Service that an Ingress may bear too hold for its rules' },

  // Ingress: status, lifecycle
  'I-S1': { says: 'status.loadBalancer is published', shownBy: 'router/control/status-publisher.test.ts' },
  'I-S2': { says: 'one writer, and no write without a change', shownBy: 'router/control/leadership.test.ts' },
  'I-S3': { says: 'our entries go when the class changes away', shownBy: 'router/control/status-publisher.test.ts' },
  'I-S4': { says: 'the rights that it takes', shownBy: 'test/charts/rbac.test.ts' },
  'I-S5': { says: 'ready after the first lists are applied; SIGTERM fails readiness and drains' },
  'I-R1': { says: 'answers carry Content-Type, Date and Server; method, path, Host and User-Agent arrive as sent' },
}
