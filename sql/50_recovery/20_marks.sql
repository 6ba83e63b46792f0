-- Flow 8: what marks a profile as one that the engine has work for.
--
-- Output: wt_engine_marks. Locks: marks in the order of profiles. Planner settings: docs/reference/sql.md.

-- Marks days whose readings or workouts changed. The caller holds the person, or is the job that writes for all of them. Takes the
-- marks in the order of their profiles. Skips profiles that are being deleted: they have nothing left to work out.
create or replace function wt_private.mark_days(days wt_private.profile_day[]) returns void
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  insert into public.wt_engine_marks as m (id, user_id, stale_from, stale_to)
  select p.id, p.user_id, min(d.day), max(d.day)
  from unnest($1) d join public.wt_profiles p on p.id = d.profile_id
  group by p.id
  order by p.id
  on conflict (id) do update
    set stale_from = least(m.stale_from, excluded.stale_from), stale_to = greatest(m.stale_to, excluded.stale_to),
        updated_at = now()
    where (m.stale_from <= excluded.stale_from and m.stale_to >= excluded.stale_to) is not true
$$;

-- Trigger: a goal that is new or changed needs a forecast, and its old one goes. The mark is taken first, since the engine holds it
-- while it writes the forecast. SECURITY DEFINER because clients may write neither.
create or replace function wt_private.goal_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.wt_engine_marks as m (id, user_id, forecast_due) values (new.profile_id, new.user_id, true)
  on conflict (id) do update set forecast_due = true where not m.forecast_due;
  delete from public.wt_forecasts f where f.goal_id = new.id;
  return null;
end $$;

-- Trigger: another sleep target changes every score of the profile. SECURITY DEFINER because clients write no marks.
create or replace function wt_private.sleep_target_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update public.wt_engine_marks m
  set score_from = least(m.score_from, d.first_day), score_to = greatest(m.score_to, d.last_day)
  from (select min(v.local_date) as first_day, max(v.local_date) as last_day
        from public.wt_daily_values v where v.profile_id = new.id) d
  where m.id = new.id and d.first_day is not null;
  return null;
end $$;

-- Trigger: the sentence of a forecast is in the person's units. SECURITY DEFINER because clients write no marks.
create or replace function wt_private.units_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update public.wt_engine_marks m set forecast_due = true where m.id = new.id and not m.forecast_due;
  return null;
end $$;
