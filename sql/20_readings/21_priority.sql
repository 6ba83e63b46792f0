-- What follows from readings: which source counts on a day, and which baselines and days have to be worked out anew.
--
-- Input: the transition tables of statements on wt_health_metrics.
-- Output: wt_health_metrics.is_primary, wt_baselines.is_stale, wt_engine_marks.
-- Locks: the changed readings, then baselines and marks in the order of profile (and metric). The writer holds the person already.
-- Planner settings and the session variables wt.moving and wt.unsettled: docs/reference/sql.md.

-- On a local day the best source that has a reading of a metric counts, and only that one. Settles the given days.
-- SECURITY DEFINER because clients may not write is_primary.
create or replace function wt_private.settle_priority(days wt_private.day_ref[]) returns void
language sql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
  update public.wt_health_metrics m
  set is_primary = s.counts
  from (
    select r.id, r.is_primary,
           coalesce(r.validation_status <> 'rejected'
             and r.priority = min(r.priority) filter (where r.validation_status <> 'rejected')
                              over (partition by r.profile_id, r.metric_type, r.local_date), false) as counts
    from (select c.id, c.profile_id, c.metric_type, c.local_date, c.validation_status, c.is_primary,
                 welltrack.source_priority(welltrack.enum_label(c.source)) as priority
          from unnest($1) g
          join public.wt_health_metrics c using (profile_id, metric_type, local_date)) r
  ) s
  where m.id = s.id and s.is_primary <> s.counts
$$;

-- Settles the days that a statement touched, with those that were put off meanwhile. Within a larger statement (wt.moving) it
-- puts them off instead: that statement's own trigger settles them.
create or replace function wt_private.settle_days(days wt_private.day_ref[]) returns void
language plpgsql security invoker set search_path = '' as $$
declare
  put_off constant text := coalesce(current_setting('wt.unsettled', true), '');
begin
  if current_setting('wt.moving', true) = 'on' then
    perform set_config('wt.unsettled', concat_ws(',', nullif(put_off, ''),
      (select string_agg(concat_ws(' ', d.profile_id, d.metric_type, d.local_date), ',') from unnest(days) d)), true);
    return;
  elsif put_off <> '' then
    days := days || (
      select array_agg((split_part(d, ' ', 1), split_part(d, ' ', 2), split_part(d, ' ', 3))::wt_private.day_ref)
      from string_to_table(put_off, ',') d);
    perform set_config('wt.unsettled', '', true);
  end if;
  if days is not null then
    perform wt_private.settle_priority(days);
  end if;
end $$;

-- After every statement that inserts readings: settles the days whose metric has a second source. A new reading is raw and counts
-- for nothing yet, so it marks nothing: the verdict on it does.
--
-- Nearly every person has one source for a metric. So one scan of the days in question asks first which metrics have a second one.
-- SECURITY DEFINER, here and below, because clients write neither baselines nor marks.
create or replace function wt_private.readings_inserted() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  touched wt_private.day_ref[];
begin
  -- A statement with ON CONFLICT or several parts fires this for parts that touched nothing.
  perform from new_rows limit 1;
  if not found and coalesce(current_setting('wt.unsettled', true), '') = '' then
    return null;
  end if;
  with span as (
    select n.profile_id, min(n.local_date) as first_day, max(n.local_date) as last_day
    from new_rows n group by n.profile_id
  ), contested as materialized (
    select s.profile_id, k.metric_type
    from span s cross join lateral (
      select m.metric_type from public.wt_health_metrics m
      where m.profile_id = s.profile_id and m.local_date between s.first_day and s.last_day
      group by m.metric_type
      having min(m.source) <> max(m.source)) k
  )
  select array_agg((d.profile_id, d.metric_type, d.local_date)::wt_private.day_ref) into touched
  from (select distinct n.profile_id, n.metric_type, n.local_date
        from new_rows n join contested c using (profile_id, metric_type)) d;
  perform wt_private.settle_days(touched);
  return null;
end $$;

-- After every statement that updates readings: marks the baselines and days whose input changed, and settles the days whose metric
-- has a second source or whose only reading changed its verdict.
create or replace function wt_private.readings_updated() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  touched wt_private.day_ref[];
begin
  perform from new_rows limit 1;
  if not found and coalesce(current_setting('wt.unsettled', true), '') = '' then
    return null;
  end if;
  with changed as materialized (
    select o.user_id, o.profile_id, o.metric_type, o.local_date, n.profile_id as new_profile_id,
           n.metric_type as new_metric_type, n.local_date as new_local_date
    from old_rows o join new_rows n using (id)
    where (o.profile_id, o.metric_type, o.local_date, o.source, o.validation_status, o.value_num, o.is_primary)
      is distinct from
          (n.profile_id, n.metric_type, n.local_date, n.source, n.validation_status, n.value_num, n.is_primary)
  ), days as materialized (
    select profile_id, metric_type, local_date, user_id from changed
    union select new_profile_id, new_metric_type, new_local_date, user_id from changed
  ), stale as (
    insert into public.wt_baselines as b (user_id, profile_id, metric_type)
    select distinct d.user_id, d.profile_id, d.metric_type from days d
    order by d.profile_id, d.metric_type
    on conflict (profile_id, metric_type) do update set is_stale = true where not b.is_stale
  ), marked as (
    -- As mark_days does, without another pass over the days.
    insert into public.wt_engine_marks as k (id, user_id, stale_from, stale_to)
    select d.profile_id, d.user_id, min(d.local_date), max(d.local_date) from days d
    group by d.profile_id, d.user_id
    order by d.profile_id
    on conflict (id) do update
      set stale_from = least(k.stale_from, excluded.stale_from), stale_to = greatest(k.stale_to, excluded.stale_to),
          updated_at = now()
      where (k.stale_from <= excluded.stale_from and k.stale_to >= excluded.stale_to) is not true
  ), span as (
    select d.profile_id, min(d.local_date) as first_day, max(d.local_date) as last_day
    from days d group by d.profile_id
  ), contested as materialized (
    select s.profile_id, k.metric_type
    from span s cross join lateral (
      select m.metric_type from public.wt_health_metrics m
      where m.profile_id = s.profile_id and m.local_date between s.first_day and s.last_day
      group by m.metric_type
      having min(m.source) <> max(m.source) or bool_or(m.is_primary = (m.validation_status = 'rejected'))) k
  )
  select array_agg((d.profile_id, d.metric_type, d.local_date)::wt_private.day_ref) into touched
  from days d join contested c using (profile_id, metric_type);
  perform wt_private.settle_days(touched);
  return null;
end $$;

-- After every statement that deletes readings: marks their baselines and days, and settles the days.
create or replace function wt_private.readings_deleted() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  touched wt_private.day_ref[];
begin
  perform from old_rows limit 1;
  if not found and coalesce(current_setting('wt.unsettled', true), '') = '' then
    return null;
  end if;
  -- A baseline that is being computed just now has read what is gone: wait for it, then look whether it is stale.
  perform from public.wt_baselines b
  where (b.profile_id, b.metric_type) in (select o.profile_id, o.metric_type from old_rows o)
  order by b.profile_id, b.metric_type
  for no key update;
  update public.wt_baselines b set is_stale = true
  from (select distinct o.profile_id, o.metric_type from old_rows o) d
  where b.profile_id = d.profile_id and b.metric_type = d.metric_type and not b.is_stale;
  select array_agg((d.profile_id, d.metric_type, d.local_date)::wt_private.day_ref) into touched
  from (select distinct o.profile_id, o.metric_type, o.local_date from old_rows o) d;
  perform wt_private.mark_days(array(select (d.profile_id, d.local_date)::wt_private.profile_day from unnest(touched) d));
  perform wt_private.settle_days(touched);
  return null;
end $$;
