-- pg_welltrack 0.1.0, frozen: what `create extension pg_welltrack version '0.1.0'` makes. The scripts of later versions
-- start from it, and the upgrade test proves that they arrive where a fresh installation does.
\echo Use "CREATE EXTENSION pg_welltrack" to load this file. \quit

create function dedupe_hash(
  user_id uuid, profile_id uuid, source text, metric_type text, start_time timestamptz, end_time timestamptz
) returns bytea immutable parallel safe cost 2
language c as 'MODULE_PATHNAME', 'dedupe_hash_wrapper';

create function dedupe_text(
  user_id uuid, profile_id uuid, source text, metric_type text, start_time timestamptz, end_time timestamptz
) returns text immutable parallel safe cost 2
language c as 'MODULE_PATHNAME', 'dedupe_text_wrapper';

create function enum_label(value anyenum) returns text immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'enum_label_wrapper';

create function canonical_unit(metric_type text) returns text immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'canonical_unit_wrapper';

create function to_canonical(metric_type text, value double precision, unit text, source text)
returns double precision immutable parallel safe
language c as 'MODULE_PATHNAME', 'to_canonical_wrapper';

create function validate_metric(
  metric_type text, value_num double precision, value_text text, start_time timestamptz, end_time timestamptz,
  recorded_at timestamptz
) returns table (status text, reason text) rows 1 stable parallel safe
language c as 'MODULE_PATHNAME', 'validate_metric_wrapper';

create function is_timezone(name text) returns boolean stable strict parallel safe
language c as 'MODULE_PATHNAME', 'is_timezone_wrapper';

create function handle_new_user() returns trigger
language c as 'MODULE_PATHNAME', 'handle_new_user_wrapper';
revoke execute on function handle_new_user() from public;
grant execute on function handle_new_user() to @extowner@;
