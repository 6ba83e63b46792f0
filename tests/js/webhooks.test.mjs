// The webhooks as the providers call them, against a running stack whose functions have the secrets given here.
// Run: SUPABASE_URL=... SUPABASE_SERVICE_ROLE_KEY=... GARMIN_WEBHOOK_SECRET=... STRAVA_VERIFY_TOKEN=... STRAVA_SUBSCRIPTION_ID=...
//   STRAVA_CLIENT_SECRET=... node --test tests/js/webhooks.test.mjs (STRAVA_REQUIRE_SIGNATURE=true where the stack has it so)
import assert from 'node:assert/strict'
import { createHmac, randomInt, randomUUID } from 'node:crypto'
import { test } from 'node:test'

const { env } = process
const { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: serviceKey } = env
const subscription = Number(env.STRAVA_SUBSCRIPTION_ID)
const signatureRequired = env.STRAVA_REQUIRE_SIGNATURE === 'true'

const call = async (path, options) => {
  const answer = await fetch(`${url}/functions/v1/${path}`, options)
  return [answer.status, await answer.json()]
}

// What the queue holds for a provider's user.
async function queued(user) {
  const headers = { apikey: serviceKey, authorization: `Bearer ${serviceKey}` }
  const query = `select=source,event_type,payload&provider_user_id=eq.${user}&order=received_at`
  return (await fetch(`${url}/rest/v1/wt_webhook_events?${query}`, { headers })).json()
}

function signed(body, { secret = env.STRAVA_CLIENT_SECRET, age = 0 } = {}) {
  const time = Math.floor(Date.now() / 1000) - age
  const digest = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')
  return { 'x-strava-signature': `t=${time},v1=${digest}` }
}

const newAthlete = () => randomInt(1_000_000_000, 2_000_000_000)
const created = (owner_id, more) =>
  JSON.stringify({ aspect_type: 'create', event_time: 1_795_000_000, object_id: randomInt(1, 1e12), object_type: 'activity', owner_id, subscription_id: subscription, updates: {}, ...more })
const strava = (body, headers = signed(body)) => call('strava-webhook', { method: 'POST', body, headers })

test("Strava's challenge is echoed to whoever knows the verify token", async () => {
  const ask = (token) => call(`strava-webhook?${new URLSearchParams({ 'hub.mode': 'subscribe', 'hub.challenge': '15f7&d1a=', 'hub.verify_token': token })}`)
  assert.deepEqual(await ask(env.STRAVA_VERIFY_TOKEN), [200, { 'hub.challenge': '15f7&d1a=' }])
  const [status, body] = await ask('guessed')
  assert.equal(status, 403)
  assert.ok(!JSON.stringify(body).includes('15f7'))
})

test('an event of Strava is in the queue when it is answered, and a repeated one is there once', async () => {
  const athlete = newAthlete()
  const event = created(athlete)
  assert.deepEqual(await strava(event), [200, { stored: 1, repeated: 0 }])
  assert.deepEqual(await strava(event), [200, { stored: 0, repeated: 1 }])
  const [only, ...others] = await queued(athlete)
  assert.deepEqual([only.source, only.payload.owner_id, others], ['strava', athlete, []])
})

test('an event that nobody understands is stored all the same', async () => {
  const athlete = newAthlete()
  const [status] = await strava(created(athlete, { object_type: 'shoe', aspect_type: 'worn out' }))
  assert.equal(status, 200)
  assert.equal((await queued(athlete)).length, 1)
})

test('what is no JSON object, and what is signed with another secret, too old or changed, is refused and not stored', async () => {
  const athlete = newAthlete()
  const event = created(athlete)
  for (const [status, body, headers] of [
    [400, event.slice(0, -3), signed(event.slice(0, -3))],
    [400, '[]', signed('[]')],
    [401, event, signed(event, { secret: randomUUID() })],
    [401, event, signed(event, { age: 3600 })],
    [401, event, signed(event.replace('create', 'delete'))],
    [401, event, { 'x-strava-signature': 'v1=' }],
    [403, created(athlete, { subscription_id: subscription + 1 }), undefined],
  ]) {
    const [answered] = await strava(body, headers)
    assert.equal(answered, status, `${body} ${JSON.stringify(headers)}`)
  }
  assert.deepEqual(await queued(athlete), [])
})

test('an unsigned event is taken only where no signature is asked for', async () => {
  const athlete = newAthlete()
  const [status] = await strava(created(athlete), {})
  assert.deepEqual([status, (await queued(athlete)).length], signatureRequired ? [401, 0] : [200, 1])
})

test('other methods are refused', async () => {
  for (const name of ['strava-webhook', `garmin-webhook/${env.GARMIN_WEBHOOK_SECRET}`]) {
    assert.equal((await call(name, { method: 'PUT', body: '{}' }))[0], 405)
  }
})

test('a push of Garmin as large as it may be becomes events, and a larger one is refused', async () => {
  const person = `large-${randomUUID()}`
  // Activity details are lists of samples; their sum is what makes a push large.
  const details = (megabytes) => {
    const samples = 'x'.repeat(megabytes << 20)
    return `{"activityDetails":[{"userId":"${person}","summaryId":"${person}","samples":"${samples}"}]}`
  }
  const push = (body) => call(`garmin-webhook/${env.GARMIN_WEBHOOK_SECRET}`, { method: 'POST', body })
  assert.deepEqual(await push(details(90)), [200, { stored: 1, repeated: 0 }])
  const [event] = await queued(`${person}&select=event_type`)
  assert.equal(event.event_type, 'activityDetails')
  assert.equal((await push(details(100)))[0], 413)
})
