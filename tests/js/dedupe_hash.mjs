// The identity of a reading, implemented a second time with nothing but Node: proof that the rule in
// core/vectors/dedupe_hash.json can be followed from its description alone. Run: node tests/js/dedupe_hash.mjs
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const MIN_TIME = -62_135_596_800_000_000n // 0001-01-01T00:00:00.000000Z
const MAX_TIME = 253_402_300_799_999_999n // 9999-12-31T23:59:59.999999Z

const utf8Length = (text) => Buffer.byteLength(text, 'utf8')

function label(text) {
  if (utf8Length(text) < 1 || utf8Length(text) > 63 || text.includes('|')) throw new Error('invalid_label')
  return text
}

// A Date counts milliseconds, so the last three digits are handled apart; BigInt division rounds towards zero.
function time(micros) {
  if (micros === null) return ''
  const total = BigInt(micros)
  if (total < MIN_TIME || total > MAX_TIME) throw new Error('time_out_of_range')
  const rest = ((total % 1000n) + 1000n) % 1000n
  const millis = Number((total - rest) / 1000n)
  return new Date(millis).toISOString().replace('Z', `${String(rest).padStart(3, '0')}Z`)
}

const canonicalText = (v) =>
  [
    v.user_id.toLowerCase(),
    v.profile_id.toLowerCase(),
    label(v.source),
    label(v.metric_type),
    time(v.start_unix_micros),
    time(v.end_unix_micros),
  ].join('|')

const sha256 = (text) => createHash('sha256').update(text, 'utf8').digest('hex')

function refusal(v) {
  try {
    return `accepted as ${canonicalText(v)}`
  } catch (error) {
    return error.message
  }
}

const file = new URL('../../core/vectors/dedupe_hash.json', import.meta.url)
const { vectors, refused } = JSON.parse(readFileSync(file, 'utf8'))

const mismatches = []
const expect = (name, actual, expected) => {
  if (actual !== expected) mismatches.push(`${name}:\n  expected ${expected}\n  got      ${actual}`)
}
for (const v of vectors) {
  expect(v.name, canonicalText(v), v.text)
  expect(v.name, sha256(canonicalText(v)), v.sha256)
  expect(v.name, time(v.start_unix_micros), v.start_time ?? '')
  expect(v.name, time(v.end_unix_micros), v.end_time ?? '')
}
for (const v of refused) expect(v.name, refusal(v), v.error)

for (const mismatch of mismatches) console.error(mismatch)
if (vectors.length === 0 || refused.length === 0) mismatches.push('the file holds no vectors')
console.log(`dedupe_hash: ${vectors.length} vectors, ${refused.length} refusals, ${mismatches.length} mismatches`)
process.exit(mismatches.length === 0 ? 0 : 1)
