-- From 0.1.0 to 0.2.0: time-ordered ids, the waits of the queue, the app's batch, what an update changed, the facts by which
-- days and sources are weighed, and the arithmetic of the performance engine.
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

create function json_text(json jsonb, max_bytes integer) returns text immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'json_text_wrapper';

create function uuid_v7() returns uuid volatile strict parallel safe
language c as 'MODULE_PATHNAME', 'uuid_v7_wrapper';

create function retry_delay(failed_attempts integer) returns interval immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'retry_delay_wrapper';

create function intensity_factor(
  perceived_exertion integer, average_hr_bpm double precision, age_years double precision, workout_type text
) returns double precision immutable parallel safe
language c as 'MODULE_PATHNAME', 'intensity_factor_wrapper';

create type recovery_inputs as (
  stress_score double precision, sleep_minutes double precision, sleep_target_hours double precision,
  resting_hr_bpm double precision, hr_baseline_bpm double precision, hr_spread_bpm double precision,
  hr_baseline_days integer, load_7d double precision, load_baseline_7d double precision, load_history_days integer,
  input_days integer
);
comment on type recovery_inputs is
  'What a recovery score was made of: scores, minutes, hours, beats per minute, training loads (minutes x intensity), days; null where nothing was measured.';

create type recovery_day as (
  status text, days_missing integer, stress_component double precision, sleep_component double precision,
  hr_component double precision, load_component double precision, recovery_score double precision,
  weights_used jsonb, missing_inputs text[], raw_data recovery_inputs
);
comment on type recovery_day is
  'A day''s score: days that a baseline still lacks; components and score in points, 0 to 100, null where an input is missing; shares of the weights, adding up to 1; what is missing; what went in.';

create function recovery_step(
  state internal, score_date date, sleep_target_hours double precision, local_date date, stress double precision,
  sleep double precision, hr double precision, training_load double precision
) returns internal immutable parallel safe
language c as 'MODULE_PATHNAME', 'recovery_step_wrapper';

create function recovery_result(state internal) returns recovery_day immutable parallel safe
language c as 'MODULE_PATHNAME', 'recovery_result_wrapper';

create aggregate recovery(
  score_date date, sleep_target_hours double precision, local_date date, stress double precision,
  sleep double precision, hr double precision, training_load double precision
) (sfunc = recovery_step, stype = internal, sspace = 2560, finalfunc = recovery_result, parallel = safe);
comment on aggregate recovery(date, double precision, date, double precision, double precision, double precision,
  double precision) is
  'The recovery score of score_date from one row for each local day, in any order: the 31 days up to it, and before them the last 14 with any input and the last 14 with a heart rate where the month lacks them. sleep_target_hours in hours, stress 0 to 100, sleep in minutes, hr in beats per minute, training_load in minutes x intensity.';

create function recovery_curves()
returns table (component text, weight double precision, formula text, source text, formula_version text)
immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'recovery_curves_wrapper';

create type regression as (
  n bigint, slope_per_day double precision, intercept double precision, r_squared double precision,
  residual_se double precision, slope_se double precision, mean_x timestamptz, mean_y double precision,
  sxx double precision
);
comment on type regression is
  'A least-squares line: n points; slope in units of y per day of 24 hours; intercept, the value at 1970-01-01 UTC; share of the variance explained; standard deviation about the line; standard error of the slope; means; sum of squared distances from mean_x in square days.';
create type prediction as (value double precision, low double precision, high double precision);
comment on type prediction is 'The value of a line at an instant, and the interval of a single reading there, all in units of y.';

create function regression_step(state internal, y double precision, x timestamptz)
returns internal immutable parallel safe
language c as 'MODULE_PATHNAME', 'regression_step_wrapper';

create function regression_step_day(state internal, y double precision, x date)
returns internal immutable parallel safe
language c as 'MODULE_PATHNAME', 'regression_step_day_wrapper';

create function regression_combine(state internal, other internal) returns internal immutable parallel safe
language c as 'MODULE_PATHNAME', 'regression_combine_wrapper';

create function regression_serial(state internal) returns bytea immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'regression_serial_wrapper';

create function regression_deserial(bytes bytea, _nothing internal) returns internal immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'regression_deserial_wrapper';

create function regression_result(state internal) returns regression immutable parallel safe
language c as 'MODULE_PATHNAME', 'regression_result_wrapper';

create aggregate linear_regression(y double precision, x timestamptz) (
  sfunc = regression_step, stype = internal, sspace = 128, finalfunc = regression_result,
  combinefunc = regression_combine, serialfunc = regression_serial, deserialfunc = regression_deserial,
  parallel = safe
);
comment on aggregate linear_regression(double precision, timestamptz) is
  'The least-squares line of y over time. Nulls, NaN and infinities are passed over; n says how many points counted.';
create aggregate linear_regression(y double precision, x date) (
  sfunc = regression_step_day, stype = internal, sspace = 128, finalfunc = regression_result,
  combinefunc = regression_combine, serialfunc = regression_serial, deserialfunc = regression_deserial,
  parallel = safe
);
comment on aggregate linear_regression(double precision, date) is
  'The least-squares line of y over days, each of them its midnight in UTC.';

create function predict(r regression, at timestamptz, level double precision default 0.95)
returns prediction immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'predict_wrapper';

create type goal_forecast as (
  status text, projected_date date, projected_low date, projected_high date, confidence double precision
);
comment on type goal_forecast is
  'on_track, late, reached, not_converging, beyond_horizon or too_few_points; the first day on which the line is at the target; the days between which single readings are expected there (95%); R2 of the line.';

create function forecast(
  r regression, target double precision, direction text, current double precision, as_of date, deadline date default null
) returns goal_forecast immutable parallel safe
language c as 'MODULE_PATHNAME', 'forecast_wrapper';

create function forecast_narrative(
  metric_type text, status text, current_value double precision, target_value double precision,
  slope_per_day double precision, projected_date date, projected_low date, projected_high date,
  confidence double precision, units text default 'metric', deadline date default null
) returns text immutable parallel safe
language c as 'MODULE_PATHNAME', 'forecast_narrative_wrapper';

create function recovery_narrative(scores regression) returns text immutable strict parallel safe
language c as 'MODULE_PATHNAME', 'recovery_narrative_wrapper';
