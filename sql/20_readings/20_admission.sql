-- What triggers do to a single reading that arrives or changes, outside of a batch function.
--
-- Input and output: the row. Locks: its person. Errors: 23502 a sum without an end_time.
-- The session variables wt.batch and wt.moving: docs/reference/sql.md.

-- The local day of a reading of `user_id`.
create or replace function wt_private.local_date(
  user_id uuid, metric_type public.wt_metric_type, start_time timestamptz, end_time timestamptz
) returns date language sql stable set search_path = '' as $$
  select (welltrack.day_anchor(welltrack.enum_label($2), $3, $4) at time zone u.timezone)::date
  from public.wt_users u where u.id = $1
$$;
grant execute on function wt_private.local_date to authenticated, service_role;

-- When a reading ended: a sample has one instant, a sum over a period needs its end. Without it, a correction could not be matched
-- to its reading on every interface.
create or replace function wt_private.reading_end(
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

-- Trigger: makes of a single row (REST upsert, COPY) what the batch function would have made of it.
create or replace function wt_private.admit_metric() returns trigger
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

-- Trigger: a change of what was measured makes the reading raw again; an update that changes nothing writes nothing. A record name
-- stays once given: an upsert that mixes named and unnamed readings sends null for the latter and means nothing by it.
create or replace function wt_private.revise_metric() returns trigger
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
