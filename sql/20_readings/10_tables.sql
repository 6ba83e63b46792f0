-- Flow 2: readings of every source, and the baselines that follow from them. Triggers keep readings consistent, whichever interface
-- they arrive by (the batch function, an upsert through REST, COPY).

create type public.wt_metric_source as enum ('garmin', 'strava', 'healthkit', 'health_connect', 'manual');
create type public.wt_metric_type as enum (
  'sleep', 'stress', 'vo2max', 'steps', 'hr', 'hrv', 'calories', 'distance', 'active_minutes', 'weight', 'body_fat',
  'blood_pressure', 'spo2', 'respiratory_rate');
create type public.wt_validation_status as enum ('raw', 'validated', 'rejected');
create type public.wt_processing_status as enum ('pending', 'processed', 'error');

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
  -- Providers send corrections, which may be processed in any order. From the report that it came from, a row keeps what decides
  -- whether another report counts more: finality, then time.
  reported_at timestamptz,
  finality smallint check (finality between 0 and 2),
  check (value_num is not null or value_text is not null),
  check ((validation_status = 'rejected') = (rejection_reason is not null)),
  constraint wt_health_metrics_identity unique (user_id, dedupe_hash),
  -- Deleting a person reaches this table through their profiles; a second key on user_id would cost every insert a
  -- second check and add nothing.
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
comment on column public.wt_health_metrics.reported_at is
  'when the provider said so; null where no provider''s push brought the reading';
comment on column public.wt_health_metrics.finality is
  'how sure the provider is: 0 announced to correct it still, 1 final, 2 corrected by the person''s own hand';

-- Under row-level security only leakproof operators may use an index, and comparing enums is not leakproof. So the
-- columns that find a row come first in each index, the enums last.
create unique index wt_health_metrics_record on public.wt_health_metrics (user_id, source_record_id, source, metric_type)
  where source_record_id is not null;
create index wt_health_metrics_day on public.wt_health_metrics (profile_id, local_date, metric_type);
create index wt_health_metrics_raw on public.wt_health_metrics (profile_id) where validation_status = 'raw';
-- Finds provider readings that begin at the same instant. Readings of phones aren't in it and cost nothing.
create index wt_health_metrics_reported on public.wt_health_metrics (user_id, start_time) where reported_at is not null;

call wt_private.protect('public.wt_health_metrics', 'owned', audited => true, touched => false, client_columns => array[
  'id', 'user_id', 'profile_id', 'source', 'metric_type', 'value_num', 'value_text', 'unit', 'start_time', 'end_time',
  'local_date', 'recorded_at', 'raw_payload_json', 'source_record_id', 'ingestion_source_version']);

create type public.wt_calibration_status as enum ('pending', 'in_progress', 'complete');

create table public.wt_baselines (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  metric_type public.wt_metric_type not null,
  baseline_value double precision,
  baseline_stddev double precision check (baseline_stddev >= 0),
  data_points_count integer not null default 0 check (data_points_count between 0 and 14),
  capture_start date,
  capture_end date check (capture_end >= capture_start),
  is_complete boolean not null generated always as (data_points_count = 14) stored,
  calibration_status public.wt_calibration_status not null generated always as (
    case data_points_count when 0 then 'pending'::public.wt_calibration_status
                           when 14 then 'complete'::public.wt_calibration_status
                           else 'in_progress'::public.wt_calibration_status end) stored,
  is_stale boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, metric_type),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
comment on table public.wt_baselines is
  'Mean and sample standard deviation over the last 14 distinct local days with validated readings of the counting source';
comment on column public.wt_baselines.is_stale is 'readings changed since it was computed; the background job clears it';
create index wt_baselines_profile_idx on public.wt_baselines (profile_id, user_id);
create index wt_baselines_stale on public.wt_baselines (updated_at) where is_stale;
call wt_private.protect('public.wt_baselines', 'read_own');

-- A metric of a profile on a local day: what priority is settled for.
create type wt_private.day_ref as (profile_id uuid, metric_type public.wt_metric_type, local_date date);
