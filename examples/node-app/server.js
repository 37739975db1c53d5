// An app without dependencies: `npm start` is what runs it, as no Procfile says anything else.

const { createServer } = require('node:http')

const { DEIS_APP = 'node-app', GREETING = 'Hello', PORT = '5000', WORKFLOW_RELEASE = '' } = process.env

const server = createServer((_request, response) => {
  response.end(`${GREETING} from ${DEIS_APP} ${WORKFLOW_RELEASE}\n`)
})
server.listen(Number(PORT), () => console.log(`listening on ${PORT}`))
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
