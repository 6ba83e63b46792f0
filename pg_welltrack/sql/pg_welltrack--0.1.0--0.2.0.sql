-- From 0.1.0 to 0.2.0: time-ordered ids, the waits of the queue, the app's batch, what an update changed, and the facts by which days and sources are weighed.
\echo Use "ALTER EXTENSION pg_welltrack UPDATE TO '0.2.0'" to load this file. \quit

create function source_priority(source text) returns integer immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'source_priority_wrapper';

create function daily_aggregate(metric_type text) returns text immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'daily_aggregate_wrapper';

create function day_anchor(metric_type text, start_time timestamptz, end_time timestamptz)
returns timestamptz immutable parallel safe
language c as 'MODULE_PATHNAME', 'day_anchor_wrapper';

create function changed_columns(old anyelement, new anyelement, ignored text[])
returns text[] stable strict parallel safe
language c as 'MODULE_PATHNAME', 'changed_columns_wrapper';

create function native_metrics(user_id uuid, profile_id uuid, payload text)
returns table (
  ordinal integer, outcome text, reason text, source text, metric_type text, value_num double precision,
  value_text text, unit text, start_time timestamptz, end_time timestamptz, recorded_at timestamptz,
  source_record_id text, ingestion_version text, dedupe_hash bytea
) immutable strict parallel safe cost 1000
language c as 'MODULE_PATHNAME', 'native_metrics_wrapper';

create function uuid_v7() returns uuid volatile strict parallel safe
language c as 'MODULE_PATHNAME', 'uuid_v7_wrapper';

create function retry_delay(failed_attempts integer) returns interval immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'retry_delay_wrapper';
