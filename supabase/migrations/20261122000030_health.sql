-- Flow 2, the data: readings of every source, the connections they come through, and what keeps them true whatever
-- door they come in by (the batch function, an upsert through REST, COPY).

create type public.wt_metric_source as enum ('garmin', 'strava', 'healthkit', 'health_connect', 'manual');
create type public.wt_metric_type as enum (
  'sleep', 'stress', 'vo2max', 'steps', 'hr', 'hrv', 'calories', 'distance', 'active_minutes', 'weight', 'body_fat',
  'blood_pressure', 'spo2');
create type public.wt_validation_status as enum ('raw', 'validated', 'rejected');
create type public.wt_processing_status as enum ('pending', 'processed', 'error');
create type public.wt_provider as enum ('garmin', 'strava');

create table public.wt_health_metrics (
  -- Ordered by time, so that the index grows at its end: among millions of random ids each new row dirties another page.
  id uuid primary key default welltrack.uuid_v7(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  source public.wt_metric_source not null,
  metric_type public.wt_metric_type not null,
  value_num double precision check (value_num > '-Infinity' and value_num < 'Infinity'),
  value_text text check (char_length(value_text) <= 255),
  unit text not null,
  start_time timestamptz not null check (start_time between '1970-01-01 UTC' and '2101-01-01 UTC'),
  end_time timestamptz check (end_time between start_time and '2101-01-01 UTC'),
  local_date date not null,
  recorded_at timestamptz not null default now() check (recorded_at between '1970-01-01 UTC' and '2101-01-01 UTC'),
  -- A batch takes records of 512 kB of text; as jsonb the oddest of them are four times as large.
  raw_payload_json jsonb check (pg_column_size(raw_payload_json) <= 4194304),
  source_record_id text collate "C" check (char_length(source_record_id) between 1 and 255),
  dedupe_hash bytea not null generated always as (
    welltrack.dedupe_hash(user_id, profile_id, welltrack.enum_label(source), welltrack.enum_label(metric_type),
                          start_time, end_time)) stored,
  is_primary boolean not null default true,
  validation_status public.wt_validation_status not null default 'raw',
  rejection_reason text,
  ingestion_source_version text check (char_length(ingestion_source_version) <= 255),
  processing_status public.wt_processing_status not null default 'pending',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (value_num is not null or value_text is not null),
  check ((validation_status = 'rejected') = (rejection_reason is not null)),
  constraint wt_health_metrics_identity unique (user_id, dedupe_hash),
  -- Deleting a person reaches this table through their profiles; a second key on user_id would cost every insert a
  -- second check and say nothing new.
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
comment on column public.wt_health_metrics.unit is 'the canonical unit of the metric; values are converted on the way in';
comment on column public.wt_health_metrics.local_date is
  'the person''s local day when the reading came in: of waking for sleep, of the start for everything else';
comment on column public.wt_health_metrics.dedupe_hash is
  'SHA-256 of user, profile, source, metric, start and end (the identity of the reading, not its value)';
comment on column public.wt_health_metrics.is_primary is
  'true where no better source has a reading of this metric on this local day; false for rejected readings';
comment on column public.wt_health_metrics.source_record_id is
  'the provider''s name for the record; the same name replaces, even when the period grew';

-- Under row-level security only leakproof operators may use an index, and comparing enums is not leakproof. So the
-- columns that find a row come first in each index, the enums last.
create unique index wt_health_metrics_record on public.wt_health_metrics (user_id, source_record_id, source, metric_type)
  where source_record_id is not null;
create index wt_health_metrics_day on public.wt_health_metrics (profile_id, local_date, metric_type);
create index wt_health_metrics_raw on public.wt_health_metrics (profile_id) where validation_status = 'raw';

call wt_private.protect('public.wt_health_metrics', 'owned', audited => true, touched => false, client_columns => array[
  'id', 'user_id', 'profile_id', 'source', 'metric_type', 'value_num', 'value_text', 'unit', 'start_time', 'end_time',
  'local_date', 'recorded_at', 'raw_payload_json', 'source_record_id', 'ingestion_source_version']);

-- The local day of a reading of `user_id`.
create function wt_private.local_date(
  user_id uuid, metric_type public.wt_metric_type, start_time timestamptz, end_time timestamptz
) returns date language sql stable set search_path = '' as $$
  select (welltrack.day_anchor(welltrack.enum_label($2), $3, $4) at time zone u.timezone)::date
  from public.wt_users u where u.id = $1
$$;
grant execute on function wt_private.local_date to authenticated, service_role;

-- Whoever writes readings holds their person until the end of the transaction: two phones, a phone and a batch, a phone
-- and the background job take turns, so that each settles what the other one wrote and none waits in a circle. A lock
-- on a row, for there are no more advisory locks than memory was set aside for. Service connections speak for many
-- people and hold each one as their rows come in: two that do so at once send their rows in the order of user_id.
create function wt_private.hold_person() returns trigger
language plpgsql set search_path = '' as $$
declare
  me constant uuid := auth.uid();
begin
  perform from public.wt_users u where u.id = me for no key update;
  return null;
end $$;
create trigger hold before insert or update or delete on public.wt_health_metrics
  for each statement execute function wt_private.hold_person();

-- When a reading ended: what is sampled has one instant, what adds up over a period needs its end. Without it a correction
-- would not be known for the same reading by every door.
create function wt_private.reading_end(
  metric_type public.wt_metric_type, start_time timestamptz, end_time timestamptz
) returns timestamptz language plpgsql immutable set search_path = '' as $$
begin
  if end_time is null and welltrack.daily_aggregate(welltrack.enum_label(metric_type)) = 'sum' then
    raise exception '% needs an end_time', metric_type
      using errcode = '23502', hint = 'the end of the period over which it was measured';
  end if;
  return coalesce(end_time, start_time);
end $$;
grant execute on function wt_private.reading_end to authenticated, service_role;

-- A row that comes in by itself (REST upsert, COPY) is made what the batch function would have made of it.
create function wt_private.admit_metric() returns trigger
language plpgsql set search_path = '' as $$
declare
  moved boolean := false;
begin
  if new.user_id is null then
    select p.user_id into new.user_id from public.wt_profiles p where p.id = new.profile_id;
  end if;
  if auth.uid() is null then
    perform from public.wt_users u where u.id = new.user_id for no key update;
  end if;
  new.end_time := wt_private.reading_end(new.metric_type, new.start_time, new.end_time);
  new.value_num := welltrack.to_canonical(welltrack.enum_label(new.metric_type), new.value_num, new.unit,
                                          welltrack.enum_label(new.source));
  new.unit := welltrack.canonical_unit(welltrack.enum_label(new.metric_type));
  new.local_date := coalesce(
    wt_private.local_date(new.user_id, new.metric_type, new.start_time, new.end_time), new.start_time::date);
  new.validation_status := 'raw';
  new.rejection_reason := null;
  new.processing_status := 'pending';
  new.is_primary := true;
  new.created_at := now();
  new.updated_at := now();

  if new.source_record_id is not null then
    -- The provider names its records: the name finds the row, even when the period grew. What else had the new
    -- period is the same reading and gives way. The statement that brought this row may still come to others of the
    -- same days, so these days are settled at its end.
    perform set_config('wt.moving', 'on', true);
    delete from public.wt_health_metrics m
    where m.user_id = new.user_id
      and m.dedupe_hash = welltrack.dedupe_hash(new.user_id, new.profile_id, welltrack.enum_label(new.source),
                                                welltrack.enum_label(new.metric_type), new.start_time, new.end_time)
      and m.source_record_id is distinct from new.source_record_id
      and exists (select from public.wt_health_metrics n
                  where n.user_id = new.user_id and n.source = new.source and n.metric_type = new.metric_type
                    and n.source_record_id = new.source_record_id);
    update public.wt_health_metrics m
    set profile_id = new.profile_id, value_num = new.value_num, value_text = new.value_text,
        start_time = new.start_time, end_time = new.end_time, recorded_at = new.recorded_at,
        raw_payload_json = new.raw_payload_json, ingestion_source_version = new.ingestion_source_version
    where m.user_id = new.user_id and m.source = new.source and m.metric_type = new.metric_type
      and m.source_record_id = new.source_record_id
      and (m.start_time, m.end_time, m.profile_id) is distinct from (new.start_time, new.end_time, new.profile_id);
    moved := found;
    perform set_config('wt.moving', 'off', true);
  end if;
  return case when not moved then new end;
end $$;
-- The batch function has done all this for the whole batch and says so; the setting can't be reached through REST, and
-- whoever sets it can only spoil rows of their own.
create trigger admit before insert on public.wt_health_metrics
  for each row when (current_setting('wt.batch', true) is distinct from 'on')
  execute function wt_private.admit_metric();

-- A change of what was measured makes the reading raw again; a change of nothing writes nothing. A name once given
-- stays: an upsert that mixes named and unnamed readings says null for the latter, and means nothing by it.
create function wt_private.revise_metric() returns trigger
language plpgsql set search_path = '' as $$
declare
  changed text[];
begin
  new.source_record_id := coalesce(new.source_record_id, old.source_record_id);
  if new.end_time is null and old.end_time is not null and current_setting('wt.batch', true) is distinct from 'on' then
    new.end_time := wt_private.reading_end(new.metric_type, new.start_time, null);
  end if;
  changed := welltrack.changed_columns(
    old, new, array['id', 'created_at', 'updated_at', 'dedupe_hash', 'local_date', 'recorded_at',
                    'ingestion_source_version']);
  if changed = '{}' then
    return null;
  end if;
  new.id := old.id;
  new.local_date := old.local_date;
  new.created_at := old.created_at;
  new.updated_at := now();
  if changed && array['profile_id', 'source', 'metric_type', 'value_num', 'value_text', 'unit', 'start_time', 'end_time',
                      'raw_payload_json'] then
    if new.unit is distinct from old.unit or new.metric_type <> old.metric_type then
      new.value_num := welltrack.to_canonical(welltrack.enum_label(new.metric_type), new.value_num, new.unit,
                                              welltrack.enum_label(new.source));
      new.unit := welltrack.canonical_unit(welltrack.enum_label(new.metric_type));
    end if;
    -- The day stays as it was when the reading came in, unless the reading itself moved.
    if changed && array['metric_type', 'start_time', 'end_time'] then
      new.local_date := wt_private.local_date(new.user_id, new.metric_type, new.start_time, new.end_time);
    end if;
    new.validation_status := 'raw';
    new.rejection_reason := null;
    new.processing_status := 'pending';
    if old.validation_status = 'rejected' then
      new.is_primary := true;
    end if;
  end if;
  return new;
end $$;
create trigger revise before update on public.wt_health_metrics
  for each row execute function wt_private.revise_metric();

create table public.wt_health_connections (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  provider public.wt_provider not null,
  provider_user_id text not null check (char_length(provider_user_id) between 1 and 255),
  scopes text[] not null default '{}',
  is_connected boolean not null default true,
  last_sync_at timestamptz,
  connection_metadata jsonb not null default '{}' check (jsonb_typeof(connection_metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  unique (profile_id, provider),
  unique (provider, provider_user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_health_connections_profile_idx on public.wt_health_connections (profile_id, user_id);
call wt_private.protect('public.wt_health_connections', 'read_own', audited => true);

-- Tokens live apart from the connection that people read: a table without any client grant can't leak by `select *`.
create table public.wt_connection_tokens (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  connection_id uuid not null unique,
  access_token_encrypted bytea not null,
  refresh_token_encrypted bytea,
  key_id text not null,
  token_expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (connection_id, user_id) references public.wt_health_connections (id, user_id) on delete cascade
);
create index wt_connection_tokens_connection_idx on public.wt_connection_tokens (connection_id, user_id);
call wt_private.protect('public.wt_connection_tokens', 'service');
