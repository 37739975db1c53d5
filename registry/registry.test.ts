// What the specification says, on a folder. On S3: test/conformance/registry-s3.test.ts.

import { failOnLeaks } from '#test/support/leaks.ts'
import { RegistryStage } from '#test/support/registry-stage.ts'
import { registrySuite } from '#test/support/registry-suite.ts'

failOnLeaks()

registrySuite(config => RegistryStage.start(config))
