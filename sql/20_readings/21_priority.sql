-- What follows from readings: which source counts on a day, and each person's baseline.

-- On a local day the best source that has a reading of a metric counts, and only that one. Settles the given days.
create or replace function wt_private.settle_priority(
  profile_ids uuid[], metric_types public.wt_metric_type[], local_dates date[]
) returns void language sql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
  update public.wt_health_metrics m
  set is_primary = s.counts
  from (
    select r.id, r.is_primary,
           coalesce(r.validation_status <> 'rejected'
             and r.priority = min(r.priority) filter (where r.validation_status <> 'rejected')
                              over (partition by r.profile_id, r.metric_type, r.local_date), false) as counts
    from (select c.id, c.profile_id, c.metric_type, c.local_date, c.validation_status, c.is_primary,
                 welltrack.source_priority(welltrack.enum_label(c.source)) as priority
          from unnest($1, $2, $3) g (profile_id, metric_type, local_date)
          join public.wt_health_metrics c using (profile_id, metric_type, local_date)) r
  ) s
  where m.id = s.id and s.is_primary <> s.counts
$$;

-- After every statement on readings, once: settle the priority of the days it touched, and mark the baselines and days
-- whose input it changed. SECURITY DEFINER because clients may write none of these. A new reading is raw and counts for
-- nothing yet: what marks is the verdict on it, so that its arrival pays nothing.
--
-- Nearly everybody has one source for a metric. So before any day is looked at, one scan of the days in question asks
-- which metrics have a second source at all.
--
-- A session may plan these statements while the table is small and keep the plan while it grows; without sequential scans
-- the plan is the one that suits a large table from the start.
create or replace function wt_private.readings_changed() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  profile_ids uuid[];
  metric_types public.wt_metric_type[];
  local_dates date[];
begin
  -- A statement with ON CONFLICT or several parts fires this for parts that touched nothing.
  if tg_op = 'DELETE' then
    perform from old_rows limit 1;
  else
    perform from new_rows limit 1;
  end if;
  if not found and coalesce(current_setting('wt.unsettled', true), '') = '' then
    return null;
  end if;

  if tg_op = 'INSERT' then
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
    select array_agg(d.profile_id), array_agg(d.metric_type), array_agg(d.local_date)
    into profile_ids, metric_types, local_dates
    from (select distinct n.profile_id, n.metric_type, n.local_date
          from new_rows n join contested c using (profile_id, metric_type)) d;
  elsif tg_op = 'UPDATE' then
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
    select array_agg(d.profile_id), array_agg(d.metric_type), array_agg(d.local_date)
    into profile_ids, metric_types, local_dates
    from days d join contested c using (profile_id, metric_type);
  else
    -- A baseline that is being computed just now has read what is gone: wait for it, then look whether it is stale.
    perform from public.wt_baselines b
    where (b.profile_id, b.metric_type) in (select o.profile_id, o.metric_type from old_rows o)
    order by b.profile_id, b.metric_type
    for no key update;
    update public.wt_baselines b set is_stale = true
    from (select distinct o.profile_id, o.metric_type from old_rows o) d
    where b.profile_id = d.profile_id and b.metric_type = d.metric_type and not b.is_stale;
    select array_agg(d.profile_id), array_agg(d.metric_type), array_agg(d.local_date)
    into profile_ids, metric_types, local_dates
    from (select distinct o.profile_id, o.metric_type, o.local_date from old_rows o) d;
    perform wt_private.mark_days(profile_ids, local_dates);
  end if;

  if current_setting('wt.moving', true) = 'on' then
    -- One row of a larger statement: days are noted down for that statement's own trigger.
    perform set_config('wt.unsettled', concat_ws(',', nullif(current_setting('wt.unsettled', true), ''),
      (select string_agg(concat_ws(' ', d.profile_id, d.metric_type, d.local_date), ',')
       from unnest(profile_ids, metric_types, local_dates) d (profile_id, metric_type, local_date))), true);
    return null;
  elsif current_setting('wt.unsettled', true) <> '' then
    select profile_ids || array_agg(split_part(d, ' ', 1)::uuid),
           metric_types || array_agg(split_part(d, ' ', 2)::public.wt_metric_type),
           local_dates || array_agg(split_part(d, ' ', 3)::date)
    into profile_ids, metric_types, local_dates
    from string_to_table(current_setting('wt.unsettled', true), ',') d;
    perform set_config('wt.unsettled', '', true);
  end if;
  if profile_ids is not null then
    perform wt_private.settle_priority(profile_ids, metric_types, local_dates);
  end if;
  return null;
end $$;
