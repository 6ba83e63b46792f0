-- Flow 4, connections as the edge functions see them: the state of a consent, the connection that comes of it, and its tokens.

-- {}  ->  {"user_id"}: the person of the caller's token. For functions that are served without Supabase's own check of tokens,
-- because a provider's redirect to the same address brings none. Errors: PT401 the token is the service's or nobody's.
create or replace function public.whoami(jsonb) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
begin
  if $1 is null or auth.uid() is null then
    raise exception 'this token is nobody''s' using errcode = 'PT401', hint = 'sign in as a user';
  end if;
  return jsonb_build_object('user_id', auth.uid());
end $$;
grant execute on function public.whoami(jsonb) to authenticated, service_role;

-- {"user_id", "profile_id"? (the primary one), "provider", "state_hash": hex, "verifier_encrypted": base64|null, "key_id",
--  "redirect_to"?}  ->  {"expires_at", "profile_id"}. Errors: PT404 no such profile of that person.
create or replace function public.create_oauth_state(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  target uuid;
  expiry timestamptz;
begin
  -- A consent that was never completed leaves a row behind.
  delete from public.wt_oauth_states o where o.expires_at < now() and o.id in (
    select d.id from public.wt_oauth_states d where d.expires_at < now() limit 100 for update skip locked);
  select p.id into target from public.wt_profiles p
  where p.user_id = ($1 ->> 'user_id')::uuid
    and case when $1 ->> 'profile_id' is null then p.is_primary else p.id = ($1 ->> 'profile_id')::uuid end;
  if not found then
    raise exception 'no such profile' using errcode = 'PT404', hint = 'profile_id names a profile of user_id';
  end if;
  insert into public.wt_oauth_states (user_id, profile_id, provider, state_hash, verifier_encrypted, key_id, redirect_to)
  values (($1 ->> 'user_id')::uuid, target, ($1 ->> 'provider')::public.wt_provider, decode($1 ->> 'state_hash', 'hex'),
          decode($1 ->> 'verifier_encrypted', 'base64'), $1 ->> 'key_id', $1 ->> 'redirect_to')
  returning expires_at into expiry;
  return jsonb_build_object('expires_at', expiry, 'profile_id', target);
end $$;

-- {"state_hash"}  ->  {"provider", "redirect_to"}: where to send a browser that comes back with that state. The state stays valid.
-- Errors: PT404 for a state that is unknown, expired or taken.
create or replace function public.find_oauth_state(jsonb) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  answer jsonb;
begin
  select jsonb_build_object('provider', o.provider, 'redirect_to', o.redirect_to) into answer
  from public.wt_oauth_states o
  where o.state_hash = decode($1 ->> 'state_hash', 'hex') and o.expires_at >= now();
  if answer is null then
    raise exception 'no such state' using errcode = 'PT404', hint = 'it was used, has expired, or never was: begin again';
  end if;
  return answer;
end $$;

-- {"state_hash", "user_id"}  ->  {"user_id", "profile_id", "provider", "verifier_encrypted", "key_id"}: once. Errors: PT404 for a
-- state that is unknown, expired, taken or somebody else's, who can still use it.
create or replace function public.take_oauth_state(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  taken public.wt_oauth_states;
begin
  delete from public.wt_oauth_states o
  where o.state_hash = decode($1 ->> 'state_hash', 'hex') and o.user_id = ($1 ->> 'user_id')::uuid
  returning o.* into taken;
  if taken.id is null or taken.expires_at < now() then
    raise exception 'no such state' using errcode = 'PT404', hint = 'it was used, has expired, or never was: begin again';
  end if;
  return jsonb_build_object('user_id', taken.user_id, 'profile_id', taken.profile_id, 'provider', taken.provider,
                            'verifier_encrypted', wt_private.base64(taken.verifier_encrypted), 'key_id', taken.key_id);
end $$;

-- Stores a connection after its consent: {"user_id", "profile_id", "provider", "provider_user_id", "scopes": [],
-- "access_token_encrypted", "refresh_token_encrypted"|null, "key_id", "token_expires_at"|null, "metadata"?}  ->  {"connection_id"}
-- A profile has one account of a provider, and an account one profile. The profile's other account and another person's ended
-- connection with this account are deleted with their events; the person's own account moves to the profile. Readings stay.
-- Errors: PT404 no such profile of that person, PT409 another person is connected with that account. Locks: the person.
create or replace function public.store_connection(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  me constant uuid := ($1 ->> 'user_id')::uuid;
  target constant uuid := ($1 ->> 'profile_id')::uuid;
  of constant public.wt_provider := ($1 ->> 'provider')::public.wt_provider;
  account constant text := $1 ->> 'provider_user_id';
  granted constant text[] := array(select jsonb_array_elements_text(
    case jsonb_typeof($1 -> 'scopes') when 'array' then $1 -> 'scopes' else '[]' end));
  metadata constant jsonb := case jsonb_typeof($1 -> 'metadata') when 'object' then $1 -> 'metadata' end;
  kept uuid;
begin
  perform wt_private.hold_people(array[me]);
  perform from public.wt_profiles p where p.id = target and p.user_id = me;
  if not found then
    raise exception 'no such profile' using errcode = 'PT404', hint = 'profile_id names a profile of user_id';
  end if;
  begin
    delete from public.wt_health_connections c
    where c.provider = of and (c.profile_id = target and c.provider_user_id <> account
                               or c.provider_user_id = account and c.user_id <> me and not c.is_connected);
    update public.wt_health_connections c set profile_id = target
    where c.provider = of and c.provider_user_id = account and c.user_id = me and c.profile_id <> target;
    insert into public.wt_health_connections as c
      (user_id, profile_id, provider, provider_user_id, scopes, connection_metadata)
    values (me, target, of, account, granted, coalesce(metadata, '{}'))
    on conflict (profile_id, provider) do update
      set is_connected = true, scopes = excluded.scopes, connected_at = now(),
          connection_metadata = coalesce(metadata, c.connection_metadata)
    returning c.id into kept;
  exception when unique_violation then
    raise exception 'that account is connected by somebody else'
      using errcode = 'PT409', hint = 'whoever uses it now can disconnect it';
  end;
  insert into public.wt_connection_tokens
    (user_id, connection_id, access_token_encrypted, refresh_token_encrypted, key_id, token_expires_at)
  values (me, kept, decode($1 ->> 'access_token_encrypted', 'base64'), decode($1 ->> 'refresh_token_encrypted', 'base64'),
          $1 ->> 'key_id', ($1 ->> 'token_expires_at')::timestamptz)
  on conflict (connection_id) do update
    set access_token_encrypted = excluded.access_token_encrypted,
        refresh_token_encrypted = excluded.refresh_token_encrypted, key_id = excluded.key_id,
        token_expires_at = excluded.token_expires_at, refresh_leased_by = null, refresh_leased_until = null;
  return jsonb_build_object('connection_id', kept);
end $$;

-- {"user_id", "provider", "profile_id"? (the primary one)} or {"provider", "provider_user_id"}
--   ->  {"connection": {"id", "user_id", "profile_id", "provider", "provider_user_id", "scopes", "is_connected", "connected_at",
--                       "last_sync_at", "timezone", "metadata"}}. Errors: PT404.
create or replace function public.find_connection(jsonb) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  answer jsonb;
begin
  select jsonb_build_object(
    'id', c.id, 'user_id', c.user_id, 'profile_id', c.profile_id, 'provider', c.provider,
    'provider_user_id', c.provider_user_id, 'scopes', c.scopes, 'is_connected', c.is_connected,
    'connected_at', c.connected_at, 'last_sync_at', c.last_sync_at, 'timezone', u.timezone,
    'metadata', c.connection_metadata)
  into answer
  from public.wt_health_connections c
  join public.wt_users u on u.id = c.user_id
  join public.wt_profiles p on p.id = c.profile_id
  where c.provider = ($1 ->> 'provider')::public.wt_provider
    and case when $1 ->> 'user_id' is null then c.provider_user_id = $1 ->> 'provider_user_id'
             when $1 ->> 'profile_id' is null then c.user_id = ($1 ->> 'user_id')::uuid and p.is_primary
             else c.user_id = ($1 ->> 'user_id')::uuid and c.profile_id = ($1 ->> 'profile_id')::uuid end;
  if answer is null then
    raise exception 'no such connection' using errcode = 'PT404', hint = 'connect the account first';
  end if;
  return jsonb_build_object('connection', answer);
end $$;

-- {"connection_id"}  ->  {}: the connection is ended and its tokens are gone; readings stay. Errors: PT404.
create or replace function public.disconnect_provider(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  which constant uuid := ($1 ->> 'connection_id')::uuid;
begin
  perform wt_private.hold_people(array(select c.user_id from public.wt_health_connections c where c.id = which));
  update public.wt_health_connections c set is_connected = false where c.id = which;
  if not found then
    raise exception 'no such connection' using errcode = 'PT404';
  end if;
  delete from public.wt_connection_tokens t where t.connection_id = which;
  return jsonb_build_object();
end $$;

grant execute on function public.create_oauth_state(jsonb), public.find_oauth_state(jsonb), public.take_oauth_state(jsonb),
  public.store_connection(jsonb), public.find_connection(jsonb), public.disconnect_provider(jsonb) to service_role;

-- {"connection_id"}  ->  {"access_token_encrypted", "refresh_token_encrypted", "key_id", "token_expires_at", "scopes"}
-- Errors: PT404 where there is none (any more).
create or replace function public.get_connection_token(jsonb) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  answer jsonb;
begin
  select jsonb_build_object(
    'access_token_encrypted', wt_private.base64(t.access_token_encrypted),
    'refresh_token_encrypted', wt_private.base64(t.refresh_token_encrypted),
    'key_id', t.key_id, 'token_expires_at', t.token_expires_at, 'scopes', c.scopes)
  into answer
  from public.wt_connection_tokens t join public.wt_health_connections c on c.id = t.connection_id
  where t.connection_id = ($1 ->> 'connection_id')::uuid;
  if answer is null then
    raise exception 'no token for that connection' using errcode = 'PT404', hint = 'the account was disconnected';
  end if;
  return answer;
end $$;

-- {"connection_id", "worker", "seconds": 1..300}  ->  {"granted"}: whether this worker may ask for a new token now. Errors: PT400,
-- PT404.
create or replace function public.lease_token_refresh(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  worker constant text := $1 ->> 'worker';
  seconds constant bigint := case jsonb_typeof($1 -> 'seconds') when 'number' then ($1 -> 'seconds')::bigint end;
  granted boolean;
begin
  if coalesce(char_length(worker) not between 1 and 200 or seconds not between 1 and 300, true) then
    raise exception 'a lease says {"connection_id", "worker", "seconds"}'
      using errcode = 'PT400', hint = 'seconds is 1 to 300';
  end if;
  -- With the row lock, the second of two callers waits and then sees what the first wrote.
  select t.refresh_leased_until is null or t.refresh_leased_until < clock_timestamp() or t.refresh_leased_by = worker
  into granted
  from public.wt_connection_tokens t where t.connection_id = ($1 ->> 'connection_id')::uuid
  for no key update;
  if granted is null then
    raise exception 'no token for that connection' using errcode = 'PT404', hint = 'the account was disconnected';
  elsif granted then
    update public.wt_connection_tokens t
    set refresh_leased_by = worker, refresh_leased_until = clock_timestamp() + make_interval(secs => seconds)
    where t.connection_id = ($1 ->> 'connection_id')::uuid;
  end if;
  return jsonb_build_object('granted', granted);
end $$;

-- {"connection_id", "worker", "access_token_encrypted", "refresh_token_encrypted"|null (it stays), "key_id", "token_expires_at"}
--   ->  {}. Ends the lease. Errors: PT404 no token, PT409 the lease is not this worker's.
create or replace function public.store_connection_token(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  which constant uuid := ($1 ->> 'connection_id')::uuid;
begin
  update public.wt_connection_tokens t
  set access_token_encrypted = decode($1 ->> 'access_token_encrypted', 'base64'),
      refresh_token_encrypted = coalesce(decode($1 ->> 'refresh_token_encrypted', 'base64'), t.refresh_token_encrypted),
      key_id = $1 ->> 'key_id', token_expires_at = ($1 ->> 'token_expires_at')::timestamptz,
      refresh_leased_by = null, refresh_leased_until = null
  where t.connection_id = which and t.refresh_leased_by = $1 ->> 'worker';
  if found then
    return jsonb_build_object();
  end if;
  perform from public.wt_connection_tokens t where t.connection_id = which;
  if not found then
    raise exception 'no token for that connection' using errcode = 'PT404', hint = 'the account was disconnected';
  end if;
  raise exception 'the lease is somebody else''s' using errcode = 'PT409', hint = 'read the token that they stored';
end $$;

-- Hands out tokens that have to move to another key: {"key_id": the new one, "limit": 1..1000}
--   ->  {"tokens": [{"connection_id", "user_id", "provider", "access_token_encrypted", "refresh_token_encrypted", "key_id"}]}
-- Each is leased to one rotation for a minute. A worker that wants to refresh it waits, so that no token is overwritten by an older
-- one. Call it until it returns none.
create or replace function public.tokens_to_rotate(jsonb) returns jsonb
language sql security invoker set search_path = '' as $$
  with picked as materialized (
    select t.id from public.wt_connection_tokens t
    where t.key_id <> $1 ->> 'key_id' and (t.refresh_leased_until is null or t.refresh_leased_until < now())
    order by t.id
    limit least(greatest(($1 ->> 'limit')::integer, 1), 1000)
    for no key update skip locked
  ), leased as (
    update public.wt_connection_tokens t
    set refresh_leased_by = 'rotation', refresh_leased_until = now() + interval '1 minute'
    from picked p where t.id = p.id
    returning t.*
  )
  select jsonb_build_object('tokens', coalesce(jsonb_agg(jsonb_build_object(
    'connection_id', l.connection_id, 'user_id', l.user_id, 'provider', c.provider,
    'access_token_encrypted', wt_private.base64(l.access_token_encrypted),
    'refresh_token_encrypted', wt_private.base64(l.refresh_token_encrypted), 'key_id', l.key_id)), '[]'))
  from leased l join public.wt_health_connections c on c.id = l.connection_id
$$;

-- {"connection_id", "old_key_id", "access_token_encrypted", "refresh_token_encrypted"|null (there was none), "key_id"}
--   ->  {"rotated"}: false where the token has been refreshed or removed since it was handed out.
create or replace function public.rotate_token(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
begin
  update public.wt_connection_tokens t
  set access_token_encrypted = decode($1 ->> 'access_token_encrypted', 'base64'),
      refresh_token_encrypted = decode($1 ->> 'refresh_token_encrypted', 'base64'), key_id = $1 ->> 'key_id',
      refresh_leased_by = null, refresh_leased_until = null
  where t.connection_id = ($1 ->> 'connection_id')::uuid and t.key_id = $1 ->> 'old_key_id'
    and t.refresh_leased_by = 'rotation';
  return jsonb_build_object('rotated', found);
end $$;

grant execute on function public.get_connection_token(jsonb), public.lease_token_refresh(jsonb),
  public.store_connection_token(jsonb), public.tokens_to_rotate(jsonb), public.rotate_token(jsonb) to service_role;
