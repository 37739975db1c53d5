// The program of charts/workflow that keeps backups in a bucket, against a real server of the S3 API: run as its Pod runs it.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { S3Server } from '#test/conformance/versitygw.ts'
import { run } from '../cluster/command.ts'
import { workflowChart } from './workflow-chart.ts'

const program = join(workflowChart, 'files/bucket.js')
const bucket = 'backups-of-ours'
let server: S3Server
let directory: string
let client: S3Client

beforeAll(async () => {
  server = await S3Server.start()
  directory = await mkdtemp(join(tmpdir(), 'deis-bucket-'))
  const { endpoint, region, credentials } = server.target(bucket, '')
  client = new S3Client({ endpoint: endpoint!, region, credentials: credentials!, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  const secret = {
    accesskey: credentials!.accessKeyId,
    secretkey: credentials!.secretAccessKey,
    region,
    'database-bucket': bucket,
  }
  await mkdir(join(directory, 'secret'))
  for (const [name, text] of Object.entries(secret)) await writeFile(join(directory, 'secret', name), `${text}\n`)
}, 600_000)
afterAll(async () => {
  client?.destroy()
  await server?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

async function bucketProgram(verb: 'keep' | 'fetch', pod: string, backup = ''): Promise<string> {
  const { endpoint } = server.target(bucket, '')
  const env = {
    CREDENTIALS: join(directory, 'secret'),
    ENDPOINT: endpoint!,
    PATH_STYLE: 'on',
    KEEP: '2',
    BACKUP: backup,
    DIRECTORY: join(directory, pod),
  }
  await mkdir(env.DIRECTORY, { recursive: true })
  const code = await readFile(program, 'utf8')
  const args = ['--input-type=module', '--eval', code, verb]
  return run(process.execPath, args, { cwd: join(workflowChart, '../..'), env, timeout: 60_000 })
}

test('keeps the newest of them, and fetches the newest or one by its name', async () => {
  const day = (number: number) => `deis-2026030${number}T031700Z.dump`
  for (const number of [1, 2, 3]) {
    const pod = `night-${number}`
    await mkdir(join(directory, pod))
    await writeFile(join(directory, pod, day(number)), `backup ${number}`)
    await writeFile(join(directory, pod, `.${day(number)}.part`), 'half of it')
    expect(await bucketProgram('keep', pod)).toContain(`kept ${day(number)}: 8 bytes`)
  }
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
  expect(Contents.map(({ Key }) => Key)).toEqual([2, 3].map(number => `backups/${day(number)}`))

  expect(await bucketProgram('fetch', 'newest', 'newest')).toBe(`fetched ${day(3)}\n`)
  expect(await readdir(join(directory, 'newest'))).toEqual([day(3)])
  expect(await readFile(join(directory, 'newest', day(3)), 'utf8')).toBe('backup 3')
  await bucketProgram('fetch', 'older', day(2))
  expect(await readFile(join(directory, 'older', day(2)), 'utf8')).toBe('backup 2')
  await expect(bucketProgram('fetch', 'gone', day(1))).rejects.toThrow(/NoSuchKey/)
})
