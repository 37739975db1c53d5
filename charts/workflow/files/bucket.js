// Backups of the database in a bucket: `keep` puts what is in /backups there and removes all but the newest KEEP, `fetch`
// gets BACKUP (`newest`, or a name) from there. Run by the image of the services, which has the client.

import { createReadStream, createWriteStream, readdirSync, readFileSync, statSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'

const { CREDENTIALS, ENDPOINT, PATH_STYLE, KEEP, BACKUP, DIRECTORY = '/backups' } = process.env
const verb = process.argv.at(-1)
const secret = (name, absent) => {
  try {
    return readFileSync(`${CREDENTIALS}/${name}`, 'utf8').trim() || absent
  } catch {
    return absent
  }
}
const Bucket = secret('database-bucket')
if (Bucket === undefined) throw new Error('the Secret names no database-bucket')
const client = new S3Client({
  region: secret('region', 'us-east-1'),
  forcePathStyle: PATH_STYLE === 'on',
  // Checksums that AWS came up with in 2024 are refused by servers that are older.
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
  credentials: { accessKeyId: secret('accesskey'), secretAccessKey: secret('secretkey') },
  ...(ENDPOINT ? { endpoint: ENDPOINT } : {}),
})
const folder = 'backups/'

/** Names of backups, the newest first. */
async function kept() {
  const names = []
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix: `${folder}deis-` }))
    names.push(...Contents.map(({ Key }) => Key.slice(folder.length)))
  return names
    .filter(name => name.endsWith('.dump'))
    .sort()
    .reverse()
}

if (verb === 'keep') {
  for (const name of readdirSync(DIRECTORY).filter(each => /^deis-.*\.dump$/.test(each))) {
    const file = `${DIRECTORY}/${name}`
    const ContentLength = statSync(file).size
    await client.send(new PutObjectCommand({ Bucket, Key: folder + name, Body: createReadStream(file), ContentLength }))
    console.log(`kept ${name}: ${ContentLength} bytes`)
  }
  const old = (await kept()).slice(Number(KEEP), Number(KEEP) + 1000)
  if (old.length > 0) {
    const Objects = old.map(name => ({ Key: folder + name }))
    const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
    if (Errors.length > 0) throw new Error(`${Errors[0].Key} cannot be removed: ${Errors[0].Message}`)
    console.log(`removed ${old.join(', ')}`)
  }
} else {
  const name = BACKUP === 'newest' ? (await kept())[0] : BACKUP
  if (name === undefined) throw new Error('there is no backup')
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: folder + name }))
  await pipeline(Body, createWriteStream(`${DIRECTORY}/${name}`, { mode: 0o600 }))
  console.log(`fetched ${name}`)
}
