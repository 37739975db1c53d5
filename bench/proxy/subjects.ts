// Every proxy that is measured, in the order of a round. nginx is the one that ratios refer to.

import { haproxy } from './subject/haproxy.ts'
import { httpProxy3 } from './subject/http-proxy-3.ts'
import { nginx } from './subject/nginx.ts'
import { router } from './subject/router.ts'
import type { Subject } from './subject.ts'

export const subjects: readonly Subject[] = [router, nginx, haproxy, httpProxy3]

/** Ratios are to this one. */
export const reference = nginx.name
