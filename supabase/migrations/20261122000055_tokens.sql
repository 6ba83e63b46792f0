-- Flow 4, providers' tokens: read, refreshed by one at a time, moved to another key.

-- {"connection_id"}  ->  {"access_token_encrypted", "refresh_token_encrypted", "key_id", "token_expires_at", "scopes"}
-- Errors: PT404 where there is none (any more).
create function public.get_connection_token(jsonb) returns jsonb
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
create function public.lease_token_refresh(jsonb) returns jsonb
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
  -- The row's lock makes the second of two wait and then look at what the first left.
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
create function public.store_connection_token(jsonb) returns jsonb
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

-- Keys change: {"key_id": the one to move to, "limit": 1..1000}
--   ->  {"tokens": [{"connection_id", "user_id", "provider", "access_token_encrypted", "refresh_token_encrypted", "key_id"}]}
-- Hands out tokens under other keys, each for a minute to one rotation alone: whoever would refresh one waits, so that no
-- token is overwritten by an older one. Again and again until none is left.
create function public.tokens_to_rotate(jsonb) returns jsonb
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
create function public.rotate_token(jsonb) returns jsonb
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
