// The whole URL space through the client that people use: @supabase/supabase-js against a running stack.
// Run: SUPABASE_URL=... SUPABASE_ANON_KEY=... node --test tests/js/supabase_js.test.mjs
// Makes people of its own (nobody's address twice), so that it can run again on the same stack.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { before, test } from 'node:test'
import WebSocket from 'ws'

// supabase-js looks for the browser's WebSocket when it is made; Node has one from version 22 on.
globalThis.WebSocket ??= WebSocket
const { createClient } = await import('@supabase/supabase-js')

const { SUPABASE_URL: url, SUPABASE_ANON_KEY: anonKey } = process.env
if (!url || !anonKey) throw new Error('SUPABASE_URL and SUPABASE_ANON_KEY must be set: run `cargo xtask up` to see both')

const PASSWORD = 'correct horse battery'

const newClient = () => createClient(url, anonKey, { auth: { persistSession: false, autoRefreshToken: false } })
const newAddress = () => `js-${randomUUID()}@example.org`

// The data of an answer that must have none but data.
async function data(request) {
  const { data, error } = await request
  assert.equal(error, null, `refused: ${error?.code} ${error?.message}`)
  return data
}

async function refusal(request) {
  const { data, error } = await request
  assert.ok(error, `answered ${JSON.stringify(data)}`)
  return error
}

async function signedUp() {
  const client = newClient()
  const email = newAddress()
  const { user } = await data(client.auth.signUp({ email, password: PASSWORD, options: { data: { display_name: 'Ada' } } }))
  const [profile] = await data(client.from('wt_profiles').select('id, is_primary'))
  return { client, email, user, profile }
}

let ada, eve
before(async () => {
  ;[ada, eve] = await Promise.all([signedUp(), signedUp()])
})

test('signing up signs in and makes the person and their primary profile', async () => {
  assert.equal(ada.user.email, ada.email)
  assert.equal(ada.user.aud, 'authenticated')
  assert.equal(ada.user.user_metadata.display_name, 'Ada')
  assert.deepEqual(ada.user.identities.map((identity) => identity.provider), ['email'])
  assert.equal(ada.profile.is_primary, true)
  const [row] = await data(ada.client.from('wt_users').select('id, display_name'))
  assert.deepEqual(row, { id: ada.user.id, display_name: 'Ada' })
})

test('an address signs up once', async () => {
  const error = await refusal(newClient().auth.signUp({ email: ada.email.toUpperCase(), password: PASSWORD }))
  assert.deepEqual([error.status, error.code], [422, 'user_already_exists'])
})

test('a weak password is refused with the reason', async () => {
  const error = await refusal(newClient().auth.signUp({ email: newAddress(), password: 'short' }))
  assert.deepEqual([error.name, error.status, error.code], ['AuthWeakPasswordError', 422, 'weak_password'])
  assert.deepEqual(error.reasons, ['length'])
})

test('something else than an address is refused', async () => {
  const error = await refusal(newClient().auth.signUp({ email: 'nobody', password: PASSWORD }))
  assert.deepEqual([error.status, error.code], [400, 'validation_failed'])
})

test('the right password signs in, the wrong one and the wrong person do not', async () => {
  const client = newClient()
  const { session, user } = await data(client.auth.signInWithPassword({ email: ada.email, password: PASSWORD }))
  assert.equal(user.id, ada.user.id)
  assert.equal(session.token_type, 'bearer')
  for (const [email, password] of [[ada.email, 'wrong horse'], [newAddress(), PASSWORD]]) {
    const error = await refusal(newClient().auth.signInWithPassword({ email, password }))
    assert.deepEqual([error.status, error.code], [400, 'invalid_credentials'])
  }
})

test('people sign up by phone, and as nobody in particular', async () => {
  const phone = `49${Math.floor(1e9 + Math.random() * 9e9)}`
  const { user } = await data(newClient().auth.signUp({ phone: `+${phone}`, password: PASSWORD }))
  assert.equal(user.phone, phone)
  const client = newClient()
  const { user: nobody } = await data(client.auth.signInAnonymously())
  assert.equal(nobody.is_anonymous, true)
  assert.equal((await data(client.from('wt_profiles').select('id'))).length, 1)
  const email = newAddress()
  const { user: somebody } = await data(client.auth.updateUser({ email, password: PASSWORD }))
  assert.deepEqual([somebody.id, somebody.email, somebody.is_anonymous], [nobody.id, email, false])
})

test('a refresh token is exchanged, and a lost answer can be asked for again', async () => {
  const client = newClient()
  const first = (await data(client.auth.signInWithPassword({ email: eve.email, password: PASSWORD }))).session
  const second = (await data(client.auth.refreshSession())).session
  assert.notEqual(second.refresh_token, first.refresh_token)
  assert.equal((await data(client.auth.getUser(second.access_token))).user.id, eve.user.id)
  const third = (await data(client.auth.refreshSession())).session
  // The answer to the second got lost: its successor was never used, so it is given again.
  const again = await data(newClient().auth.refreshSession({ refresh_token: second.refresh_token }))
  assert.equal(again.session.refresh_token, third.refresh_token)
  const error = await refusal(newClient().auth.refreshSession({ refresh_token: 'nonsense' }))
  assert.deepEqual([error.status, error.code], [400, 'refresh_token_not_found'])
})

test('a person changes their data and password, and other devices are signed out', async () => {
  const { client, email } = await signedUp()
  const other = newClient()
  await data(other.auth.signInWithPassword({ email, password: PASSWORD }))
  const { user } = await data(client.auth.updateUser({ password: `${PASSWORD}!`, data: { theme: 'dark', display_name: null } }))
  assert.equal(user.user_metadata.theme, 'dark')
  assert.ok(!('display_name' in user.user_metadata))
  const error = await refusal(client.auth.updateUser({ password: `${PASSWORD}!` }))
  assert.deepEqual([error.status, error.code], [422, 'same_password'])
  await refusal(other.auth.refreshSession())
  await data(newClient().auth.signInWithPassword({ email, password: `${PASSWORD}!` }))
})

test('signing out ends the session on the server', async () => {
  const client = newClient()
  const { session } = await data(client.auth.signInWithPassword({ email: ada.email, password: PASSWORD }))
  assert.equal((await client.auth.signOut({ scope: 'local' })).error, null)
  const gone = await refusal(newClient().auth.refreshSession({ refresh_token: session.refresh_token }))
  assert.equal(gone.code, 'refresh_token_not_found')
  const unknown = await refusal(newClient().auth.getUser(session.access_token))
  // What supabase-js makes of GoTrue's session_not_found.
  assert.equal(unknown.name, 'AuthSessionMissingError')
})

test('a phone\'s batch comes in, and sent again nothing is written', async () => {
  const records = [60, 61, 62].map((value, day) => ({
    id: `js-${day}`,
    type: 'weight',
    value,
    unit: 'kg',
    start_time: `2026-01-0${day + 1}T08:00:00Z`,
    end_time: `2026-01-0${day + 1}T08:00:00Z`,
  }))
  const batch = { source: 'healthkit', ingestion_version: '1', records: [...records, { type: 'luck', value: 7 }] }
  const send = () => data(ada.client.rpc('ingest_health_metrics', { profile_id: ada.profile.id, records: batch }))
  const first = await send()
  assert.deepEqual([first.inserted, first.rejected, first.rejections[0].index], [3, 1, 3])
  const second = await send()
  assert.deepEqual([second.inserted, second.updated, second.unchanged], [0, 0, 3])
  const { count } = await ada.client.from('wt_health_metrics').select('*', { count: 'exact', head: true })
  assert.equal(count, 3)
})

test('select embeds children and parents, ordered and filtered', async () => {
  const recipe = await data(
    ada.client.from('wt_recipes').insert({ profile_id: ada.profile.id, title: 'Porridge', tags: ['oats'] }).select().single(),
  )
  // Bulk insert: supabase-js names the columns in quotes.
  await data(
    ada.client.from('wt_recipe_steps').insert([
      { recipe_id: recipe.id, order_index: 1, instruction: 'Stir' },
      { recipe_id: recipe.id, order_index: 0, instruction: 'Boil' },
    ]),
  )
  const [found] = await data(
    ada.client
      .from('wt_recipes')
      .select('title, wt_recipe_steps(instruction), wt_profiles(is_primary)')
      .contains('tags', ['oats'])
      .order('order_index', { referencedTable: 'wt_recipe_steps' }),
  )
  assert.deepEqual(found, {
    title: 'Porridge',
    wt_recipe_steps: [{ instruction: 'Boil' }, { instruction: 'Stir' }],
    wt_profiles: { is_primary: true },
  })
})

test('a bulk upsert on a named conflict inserts and updates', async () => {
  const modules = (order) =>
    ['meals', 'workouts'].map((module_name) => ({ profile_id: ada.profile.id, module_name, tile_order: order }))
  const upsert = (rows) =>
    data(ada.client.from('wt_profile_modules').upsert(rows, { onConflict: 'profile_id,module_name' }).select('id, tile_order'))
  const before = await upsert(modules(5))
  const after = await upsert(modules(6))
  assert.deepEqual(after.map(({ id }) => id).sort(), before.map(({ id }) => id).sort())
  assert.deepEqual(after.map(({ tile_order }) => tile_order), [6, 6])
})

test('nobody reads or writes what is somebody else\'s', async () => {
  const recipe = await data(
    ada.client.from('wt_recipes').insert({ profile_id: ada.profile.id, title: 'Secret' }).select('id').single(),
  )
  assert.deepEqual(await data(eve.client.from('wt_recipes').select().eq('id', recipe.id)), [])
  assert.deepEqual(await data(eve.client.from('wt_recipes').update({ title: 'Mine' }).eq('id', recipe.id).select()), [])
  assert.deepEqual(await data(eve.client.from('wt_recipes').delete().eq('id', recipe.id).select()), [])
  const foreign = await refusal(
    eve.client.from('wt_recipe_steps').insert({ recipe_id: recipe.id, order_index: 0, instruction: 'Steal' }),
  )
  assert.equal(foreign.code, '23503')
  const batch = { source: 'healthkit', ingestion_version: '1', records: [] }
  const ingest = await refusal(eve.client.rpc('ingest_health_metrics', { profile_id: ada.profile.id, records: batch }))
  assert.equal(ingest.code, 'PT404')
  assert.equal((await data(ada.client.from('wt_recipes').select('title').eq('id', recipe.id).single())).title, 'Secret')
})

test('what is not for people is forbidden, and unauthorised for nobody', async () => {
  for (const [client, status] of [[eve.client, 403], [newClient(), 401]]) {
    const answer = await client.from('wt_webhook_events').select()
    assert.deepEqual([answer.status, answer.error?.code], [status, '42501'])
  }
})

test('a forged token is no token', async () => {
  const forged = createClient(url, anonKey, {
    accessToken: async () => `${anonKey.split('.').slice(0, 2).join('.')}.${'A'.repeat(43)}`,
  })
  const { status, error } = await forged.from('wt_profiles').select()
  assert.deepEqual([status, error.code], [401, 'PGRST301'])
})

// Another stack than ours may serve no functions.
const host = await fetch(`${url}/healthz`).catch(() => ({ ok: false }))
const skip = host.ok ? false : `${url} serves no functions`

test('a function is invoked as the person who is signed in', { skip }, async () => {
  const body = { provider: 'strava', redirect_to: 'https://app.example.org/settings' }
  const { url: page } = await data(ada.client.functions.invoke('provider-connect/authorize', { body }))
  assert.equal(new URL(page).searchParams.get('client_id'), '4711')
})

test('a function that asks for a token refuses whoever has none', { skip }, async () => {
  const { error } = await newClient().functions.invoke('provider-connect/authorize', { body: { provider: 'strava' } })
  assert.deepEqual([error.context.status, (await error.context.json()).code], [401, 'UNAUTHORIZED'])
})
