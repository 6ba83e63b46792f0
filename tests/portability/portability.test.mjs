// The very component that the host serves, under a runtime that shares no code with it: jco, which runs components on V8.
// Run: SUPABASE_URL=... SUPABASE_SERVICE_ROLE_KEY=... COMPONENT=.../garmin-webhook.wasm node --test portability.test.mjs
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'

const { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: serviceKey, COMPONENT: component } = process.env
if (!url || !serviceKey || !component) throw new Error('SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY and COMPONENT must be set')

const SECRET = randomUUID()
const person = `portable-${randomUUID()}`
const push = JSON.stringify({
  dailies: [{ userId: person, summaryId: `${person}-1`, startTimeInSeconds: 1795132800, startTimeOffsetInSeconds: 0, durationInSeconds: 86400, steps: 4242 }],
})

let runtime, webhook
const folder = mkdtempSync(join(tmpdir(), 'portability-'))
before(async () => {
  const port = await freePort()
  runtime = spawn('node_modules/.bin/jco', ['serve', component, '--port', String(port), '--jco-dir', folder], {
    cwd: import.meta.dirname,
    env: { ...process.env, SUPABASE_ANON_KEY: '', GARMIN_WEBHOOK_SECRET: SECRET },
    stdio: ['ignore', 'inherit', 'pipe'],
    detached: true,
  })
  // jco says on stderr that it listens.
  for await (const line of createInterface(runtime.stderr)) if (line.includes('listening')) break
  webhook = `http://localhost:${port}/garmin-webhook`
})
after(async () => {
  process.kill(-runtime.pid)
  await once(runtime, 'exit')
  rmSync(folder, { recursive: true })
})

async function freePort() {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

async function post(path, body) {
  const answer = await fetch(webhook + path, { method: 'POST', body })
  return [answer.status, await answer.json()]
}

async function stored() {
  const query = `select=event_type,payload&provider_user_id=eq.${person}`
  const headers = { apikey: serviceKey, authorization: `Bearer ${serviceKey}` }
  return (await fetch(`${url}/rest/v1/wt_webhook_events?${query}`, { headers })).json()
}

test('whoever does not know the secret is refused, and nothing is stored', async () => {
  const [status, { code }] = await post(`/${randomUUID()}`, push)
  assert.deepEqual([status, code], [401, 'UNAUTHORIZED'])
  assert.deepEqual(await stored(), [])
})

test('a body that is no JSON is refused', async () => {
  const [status, { code }] = await post(`/${SECRET}`, '{"dailies":[')
  assert.deepEqual([status, code], [400, 'NOT_JSON'])
})

test('a push is in the queue when it is answered, and a repeated one is there once', async () => {
  assert.deepEqual(await post(`/${SECRET}`, push), [200, { stored: 1, repeated: 0 }])
  const [event, ...others] = await stored()
  assert.deepEqual([event.event_type, event.payload.dailies[0].steps, others], ['dailies', 4242, []])
  assert.deepEqual(await post(`?token=${SECRET}`, push), [200, { stored: 0, repeated: 1 }])
  assert.equal((await stored()).length, 1)
})
