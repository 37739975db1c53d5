// An app without dependencies: `npm start` is what runs it, as no Procfile says anything else.

const { createServer } = require('node:http')

const server = createServer((_request, response) => {
  response.end(`Hello from ${process.env.DEIS_APP ?? 'node-app'} ${process.env.WORKFLOW_RELEASE ?? ''}\n`)
})
server.listen(Number(process.env.PORT ?? 5000))
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
