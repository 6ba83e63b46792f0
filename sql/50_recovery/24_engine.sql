-- Flow 8: the nightly run over all marked profiles, and the on-demand run of one person. Both do the same: they work off marks and
-- move each mark on in the same transaction, so that a run that dies has done nothing halfway.
--
-- Input: wt_engine_marks. Output: wt_recovery_scores, wt_forecasts, marks. Locks: profiles (key share), then marks, in the order of
-- their ids; the on-demand run locks its person first. Planner settings: docs/reference/sql.md.

-- Whether a run for `as_of` settles a new goal: it sees the last day that the profile has, or at least yesterday in UTC, as the
-- nightly run does. A run for an earlier day leaves the goal marked.
create or replace function wt_private.sees_goals(last_day date, as_of date) returns boolean
language sql stable set search_path = '' as $$
  select $2 >= least(coalesce($1, $2), (now() at time zone 'UTC')::date - 1)
$$;

-- Claims up to `max_profiles` marked profiles from `first_id` to `last_id` and works them off. Returns how many, the last of them,
-- and how many scores and forecasts it wrote. Skips marks that another session holds. Claiming and reading are separate statements,
-- for the reason given with roll_up; that goes for a profile's settings too.
create or replace function wt_private.engine_portion(
  first_id uuid, last_id uuid, max_profiles integer, as_of date,
  out reached uuid, out profiles integer, out scores integer, out forecasts integer
) language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_mergejoin = off
set enable_hashjoin = off set enable_bitmapscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
  marks wt_private.marked_profile[];
  claimed wt_private.claimed_profile[];
begin
  -- Lock the profile before the mark, in the same order as deletion, so that a concurrent delete blocks instead of deadlocking.
  -- SKIP LOCKED passes over profiles that are being deleted.
  select array_agg((c.place, c.id, c.user_id, c.score_from, c.score_to)::wt_private.marked_profile) into marks
  from (select k.ctid as place, k.id, k.user_id, k.score_from, k.score_to
        from public.wt_engine_marks k join public.wt_profiles p on p.id = k.id
        where k.id between first_id and last_id
          and (k.score_from <= as_of or k.forecast_due and wt_private.sees_goals(k.score_to, as_of))
        order by k.id
        limit max_profiles
        for key share of p skip locked
        for no key update of k skip locked) c;
  if marks is null then
    profiles := 0;
    return;
  end if;
  -- After a first import a profile has years to score: the portion ends where its days add up to a lot.
  select array_agg((c.place, c.profile_id, c.user_id, c.sleep_target_hours, c.units, c.first_day, c.last_day, c.dependent_day)
                   ::wt_private.claimed_profile)
  into claimed
  from (select m.*, sum(greatest(m.last_day - m.first_day + 1, 0)) over (order by m.n) as days
        from (select u.*, p.sleep_target_hours, p.preferences ->> 'units' as units, least(l.dependent_day, as_of) as last_day,
                     l.dependent_day
              from unnest(marks) with ordinality u (place, profile_id, user_id, first_day, changed_day, n)
              join public.wt_profiles p on p.id = u.profile_id
              cross join lateral (
                select case when u.changed_day + 30 < as_of then wt_private.last_dependent(u.profile_id, u.changed_day)
                            else u.changed_day + 30 end as dependent_day
                offset 0) l) m) c
  where c.n = 1 or c.days <= 100000;
  profiles := cardinality(claimed);
  reached := (claimed[profiles]).profile_id;
  scores := wt_private.score_days(claimed);
  forecasts := wt_private.forecast_goals(claimed, as_of);
  -- Later days still depend on the last changed ones, and the forecast's window moves on: the mark waits for the next day.
  update public.wt_engine_marks m
  set score_from = case when c.dependent_day >= as_of then greatest(m.score_from, as_of + 1) end,
      score_to = case when c.dependent_day >= as_of then m.score_to end,
      forecast_due = m.forecast_due and not wt_private.sees_goals(m.score_to, as_of), updated_at = now()
  -- Where it was claimed: nobody else has written it since.
  from unnest(claimed) c
  where m.ctid = c.place;
end $$;

-- A random marked profile, by where its mark lies; null if there is none. Engines that begin in different places seldom meet. Two
-- that both began at the first profile needed a third more time, since each checks the locks of what it skips.
create or replace function wt_private.engine_start() returns uuid
language sql volatile security invoker set search_path = '' set enable_seqscan = off as $$
  select k.id
  from public.wt_engine_marks k
  where k.ctid >= (select format('(%s,0)', floor(random() * pg_relation_size('public.wt_engine_marks')
                                                 / current_setting('block_size')::integer))::tid)
  limit 1
$$;

-- A run for one person (`only_user`) or for all (null). Returns the answer of run_performance_engine. Begins no portion after its
-- fifth second: it holds marks, and sessions that write readings of the same people wait for it.
create or replace function wt_private.run_engine(as_of date, only_user uuid) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  least_id constant uuid := uuid '00000000-0000-0000-0000-000000000000';
  greatest_id constant uuid := uuid 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  start uuid;
  profile uuid;
  last_profile uuid;
  portion record;
  profiles integer := 0;
  scores integer := 0;
  forecasts integer := 0;
  is_left boolean := false;
  is_idle boolean := true;
begin
  if only_user is not null then
    -- Readings that the person has just sent count: validate them first, taking turns with other writers.
    perform from public.wt_users u where u.id = only_user for no key update;
    for profile in select p.id from public.wt_profiles p where p.user_id = only_user order by p.id loop
      perform wt_private.judge(profile, profile, 20000);
      perform wt_private.roll_up(profile, profile, 1);
      portion := wt_private.engine_portion(profile, profile, 1, as_of);
      profiles := profiles + portion.profiles;
      scores := scores + coalesce(portion.scores, 0);
      forecasts := forecasts + coalesce(portion.forecasts, 0);
      is_left := exists (
        select from public.wt_engine_marks m
        where m.id = profile and (m.stale_from is not null or m.score_from <= as_of
                                  or m.forecast_due and wt_private.sees_goals(m.score_to, as_of))) or is_left;
    end loop;
    return jsonb_build_object('as_of', as_of, 'profiles', profiles, 'scores', scores, 'forecasts', forecasts,
                              'left', is_left);
  end if;

  while clock_timestamp() < now() + interval '5 seconds' loop
    exit when wt_private.roll_up(least_id, greatest_id, 5000) = 0;
    is_idle := false;
  end loop;
  -- Once round, from anywhere.
  start := coalesce(wt_private.engine_start(), least_id);
  for profile, last_profile in values (start, greatest_id), (least_id, start) loop
    while clock_timestamp() < now() + interval '5 seconds' loop
      portion := wt_private.engine_portion(profile, last_profile, 5000, as_of);
      exit when portion.profiles = 0;
      is_idle := false;
      profile := portion.reached;
      profiles := profiles + portion.profiles;
      scores := scores + portion.scores;
      forecasts := forecasts + portion.forecasts;
    end loop;
  end loop;
  select m.id into profile
  from public.wt_engine_marks m
  where m.stale_from is not null or m.score_from <= as_of
     or m.forecast_due and wt_private.sees_goals(m.score_to, as_of)
  limit 1;
  is_left := found;
  if is_left and is_idle then
    -- Other sessions hold all of it. Wait for one of them, without holding a mark that it could wait for, so that the caller's next
    -- call finds work instead of polling. Wait for the profile first, in case it is being deleted.
    perform from public.wt_profiles p where p.id = profile for key share;
    perform from public.wt_engine_marks m where m.id = profile for no key update;
  end if;
  return jsonb_build_object('as_of', as_of, 'profiles', profiles, 'scores', scores, 'forecasts', forecasts, 'left', is_left);
end $$;

-- The caller's own run. SECURITY DEFINER because people only read what the engine writes; takes no person, so that a caller can't
-- ask for another one. Errors: PT401 without a person.
create or replace function wt_private.run_engine_for_caller(as_of date) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  if auth.uid() is null then
    raise exception 'sign in to run the engine for yourself' using errcode = 'PT401';
  end if;
  return wt_private.run_engine(as_of, auth.uid());
end $$;
grant execute on function wt_private.run_engine_for_caller(date) to authenticated, service_role;

grant execute on function wt_private.sees_goals(date, date), wt_private.run_engine(date, uuid), wt_private.engine_start(),
  wt_private.engine_portion(uuid, uuid, integer, date)
  to service_role;
