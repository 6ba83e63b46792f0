// What one would write by hand for Deno, as well as it goes: one warm isolate, connections kept open, statements prepared.
// The other side of `cargo xtask bench edge`. Run: deno run -A server.js, with SUPABASE_DB_URL, GARMIN_WEBHOOK_SECRET, PORT.
//
//   POST /garmin-webhook/<secret>  what our function does, by the same SQL function
//   POST /bare/<secret>            the insert alone: nothing checked, no worker woken
//   POST /hello                    JSON in, JSON out
//   POST /worker/hello             the same in a new Worker, which is Deno's own way to keep one request from the next
import { timingSafeEqual } from 'node:crypto'
import postgres from 'postgres'

const secret = new TextEncoder().encode(Deno.env.get('GARMIN_WEBHOOK_SECRET'))
const sql = postgres(Deno.env.get('SUPABASE_DB_URL'), { max: 32, connection: { role: 'service_role' } })

const isGarmin = (given) => {
  const bytes = new TextEncoder().encode(given)
  return bytes.length === secret.length && timingSafeEqual(bytes, secret)
}

async function split(body) {
  const events = new Map()
  for (const [type, summaries] of Object.entries(body)) {
    for (const summary of summaries) {
      const key = `${type}|${summary.userId}`
      if (!events.has(key)) events.set(key, { event_type: type, provider_user_id: summary.userId, payload: { [type]: [] } })
      events.get(key).payload[type].push(summary)
    }
  }
  for (const event of events.values()) {
    const text = new TextEncoder().encode(`garmin|${event.event_type}|${event.provider_user_id}|${JSON.stringify(event.payload)}`)
    event.idempotency_key = new Uint8Array(await crypto.subtle.digest('SHA-256', text)).toHex()
  }
  return [...events.values()]
}

const routes = {
  'garmin-webhook': async (events) => {
    const [{ stored }] = await sql`select public.receive_webhook_events(${sql.json({ source: 'garmin', events })}) as stored`
    return Response.json(stored)
  },
  bare: async ([event]) => {
    await sql`insert into public.wt_webhook_events (source, event_type, provider_user_id, payload, idempotency_key)
      values ('garmin', ${event.event_type}, ${event.provider_user_id}, ${sql.json(event.payload)}, decode(${event.idempotency_key}, 'hex'))
      on conflict (idempotency_key) do nothing`
    return Response.json({ stored: 1 })
  },
}

const greet = async (request) => ({ message: `Hello ${(await request.json()).name}!` })

function inWorker(message) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' })
    worker.onmessage = ({ data }) => (worker.terminate(), resolve(data))
    worker.onerror = reject
    worker.postMessage(message)
  })
}

Deno.serve({ hostname: '127.0.0.1', port: Number(Deno.env.get('PORT')), onListen() {} }, async (request) => {
  const [, name, rest] = new URL(request.url).pathname.split('/')
  if (name === 'hello') return Response.json(await greet(request))
  if (name === 'worker') return Response.json(await inWorker(await request.json()))
  if (!isGarmin(rest ?? '')) return Response.json({ code: 'UNAUTHORIZED' }, { status: 401 })
  return routes[name](await split(await request.json()))
})
