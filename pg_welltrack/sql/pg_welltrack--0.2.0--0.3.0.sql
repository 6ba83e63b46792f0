-- From 0.2.0 to 0.3.0: the tables of metrics, providers and limits, so that no SQL has to repeat them.
\echo Use "ALTER EXTENSION pg_welltrack UPDATE TO '0.3.0'" to load this file. \quit

create function metrics()
returns table (
  metric_type text, name text, unit text, lowest double precision, highest double precision, daily_aggregate text,
  day_anchor text, grows_during_day boolean, log_keys text
) immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'metrics_wrapper';

create function grows_during_day(metric_type text) returns boolean immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'grows_during_day_wrapper';

create function longer_period_wins(source text) returns boolean immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'longer_period_wins_wrapper';

create function same_start_is_same_reading(source text) returns boolean immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'same_start_is_same_reading_wrapper';

create function reported_at(source text) returns text immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'reported_at_wrapper';

create function farewell(source text, event_type text) returns text immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'farewell_wrapper';

create function retry_delay(source text, failed_attempts integer) returns interval immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'retry_delay_of_provider_wrapper';

create function max_attempts(source text default null) returns integer immutable parallel safe
language c as 'MODULE_PATHNAME', 'max_attempts_wrapper';

create function size_limit(name text) returns bigint immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'size_limit_wrapper';
