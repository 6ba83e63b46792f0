-- Flows 3 and 4, who is connected with what: consent (OAuth), the provider's account, its tokens. Tokens come and go encrypted; the
-- keys are never in the database. Only the service reaches any of this; people read their row of wt_health_connections.

-- Which provider was asked for whose consent, until the answer comes. The state itself isn't kept, only its hash.
create table public.wt_oauth_states (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  provider public.wt_provider not null,
  state_hash bytea not null unique,
  verifier_encrypted bytea,
  key_id text not null check (char_length(key_id) between 1 and 64),
  redirect_to text check (char_length(redirect_to) <= 2048),
  expires_at timestamptz not null default now() + interval '10 minutes',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_oauth_states_profile_idx on public.wt_oauth_states (profile_id, user_id);
call wt_private.protect('public.wt_oauth_states', 'service');

-- Providers that hand out a new refresh token each time make the old one worthless: one worker at a time may ask.
alter table public.wt_connection_tokens
  add column refresh_leased_by text check (char_length(refresh_leased_by) <= 200),
  add column refresh_leased_until timestamptz;

-- Postgres breaks base64 into lines; nobody else does.
create function wt_private.base64(bytea) returns text
language sql immutable parallel safe set search_path = '' as $$ select translate(encode($1, 'base64'), E'\n', '') $$;
grant execute on function wt_private.base64(bytea) to service_role;

-- {}  ->  {"user_id"}: who the caller's token says they are, said by whoever verified it. For functions that people reach without
-- Supabase's own check, because a provider's redirect brings no token to the same address. Errors: PT401 the service has no user.
create function public.whoami(jsonb) returns jsonb
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
create function public.create_oauth_state(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  target uuid;
  expiry timestamptz;
begin
  -- Who never came back leaves a row behind.
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

-- {"state_hash"}  ->  {"provider", "redirect_to"}: where a browser that comes back with that state is to be sent. It stays good.
-- Errors: PT404 for a state that is unknown, expired or taken.
create function public.find_oauth_state(jsonb) returns jsonb
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
create function public.take_oauth_state(jsonb) returns jsonb
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

-- Consent was given: {"user_id", "profile_id", "provider", "provider_user_id", "scopes": [], "access_token_encrypted",
-- "refresh_token_encrypted"|null, "key_id", "token_expires_at"|null, "metadata"?}  ->  {"connection_id"}
-- A profile has one account of a provider, and an account one profile: the profile's other account, and the ended connection
-- of somebody else with this account, go with their events; the person's own account moves. Readings stay where they are.
-- Errors: PT404 no such profile of that person, PT409 somebody else is connected with that account.
create function public.store_connection(jsonb) returns jsonb
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
create function public.find_connection(jsonb) returns jsonb
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
create function public.disconnect_provider(jsonb) returns jsonb
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
