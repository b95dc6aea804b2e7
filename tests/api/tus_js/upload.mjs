// Uploads a file with tus-js-client and prints one JSON object a line.
//
//   node upload.mjs MODULES ENDPOINT FILE OPTIONS
//
// OPTIONS: {chunkSize, abortAt, urlStorage, retryDelays, metadata, uploadDataDuringCreation,
// uploadLengthDeferred, overridePatchMethod}. With urlStorage an earlier upload of the same file is
// resumed.
import { createReadStream, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { PassThrough } from 'node:stream'

const [, , modules, endpoint, file, text] = process.argv
const require = createRequire(`${modules}/`)
const tus = require('tus-js-client')
const { abortAt, urlStorage, ...options } = JSON.parse(text)
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

let last
// A file whose length is to come later is sent as a stream of unknown length.
const source = createReadStream(file)
const upload = new tus.Upload(options.uploadLengthDeferred ? source.pipe(new PassThrough()) : source, {
  endpoint,
  uploadSize: options.uploadLengthDeferred ? undefined : statSync(file).size,
  ...(urlStorage ? { urlStorage: new tus.FileUrlStorage(urlStorage) } : {}),
  removeFingerprintOnSuccess: true,
  ...options,
  onAfterResponse(_request, response) {
    last = response.getHeader('Quire-Cid')
  },
  onError(error) {
    say({ error: String(error) })
    process.exitCode = 1
  },
  onChunkComplete(size, accepted) {
    say({ accepted })
    if (abortAt && accepted >= abortAt) {
      upload.abort().then(() => {
        say({ aborted: accepted, url: upload.url })
        process.exit(0)
      })
    }
  },
  onSuccess() {
    say({ url: upload.url, cid: last })
  },
})

const previous = urlStorage ? await upload.findPreviousUploads() : []
if (previous.length) {
  upload.resumeFromPreviousUpload(previous[0])
  say({ resumes: previous[0].uploadUrl })
}
upload.start()
