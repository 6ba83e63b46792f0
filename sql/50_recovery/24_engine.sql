-- Flow 8, when: the night's run over everybody whose days changed, and one person's own on demand. Both do the same: what is
-- marked is worked out and the mark moves on in the same transaction, so that a run that dies has done nothing halfway.

-- Whether a run for `as_of` is one that a new goal can be left to: it sees the last day that the profile knows, or at least
-- yesterday in UTC, as the night does. What a run for a day long past says of a goal is not yet an answer.
create or replace function wt_private.sees_goals(last_day date, as_of date) returns boolean
language sql stable set search_path = '' as $$
  select $2 >= least(coalesce($1, $2), (now() at time zone 'UTC')::date - 1)
$$;

-- Claims up to `max_profiles` marked profiles from `first_id` to `last_id` and works them out; answers how many, the last of them,
-- and how many scores and forecasts it wrote. Marks that somebody else holds are left. Claiming and reading are separate
-- statements, for the reason given with roll_up, and that goes for a profile's settings too. What follows is planned once for a
-- session: planning it for one person would take longer than doing it.
create or replace function wt_private.engine_portion(
  first_id uuid, last_id uuid, max_profiles integer, as_of date,
  out reached uuid, out profiles integer, out scores integer, out forecasts integer
) language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_mergejoin = off
set enable_hashjoin = off set enable_bitmapscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
  marks tid[];
  ids uuid[];
  owners uuid[];
  sleep_targets double precision[];
  units text[];
  first_days date[];
  changed_days date[];
  last_days date[];
  dependent_days date[];
begin
  -- The profile is held, and first, as by whoever deletes it: they wait for us, and we pass by what they hold.
  select array_agg(c.place), array_agg(c.id), array_agg(c.user_id), array_agg(c.score_from), array_agg(c.score_to)
  into marks, ids, owners, first_days, changed_days
  from (select k.ctid as place, k.id, k.user_id, k.score_from, k.score_to
        from public.wt_engine_marks k join public.wt_profiles p on p.id = k.id
        where k.id between first_id and last_id
          and (k.score_from <= as_of or k.forecast_due and wt_private.sees_goals(k.score_to, as_of))
        order by k.id
        limit max_profiles
        for key share of p skip locked
        for no key update of k skip locked) c;
  if ids is null then
    profiles := 0;
    return;
  end if;
  -- After a first import a profile has years to score: the portion ends where its days add up to a lot.
  select array_agg(c.place), array_agg(c.id), array_agg(c.user_id), array_agg(c.sleep_target_hours), array_agg(c.units),
         array_agg(c.first_day), array_agg(c.last_day), array_agg(c.dependent_day)
  into marks, ids, owners, sleep_targets, units, first_days, last_days, dependent_days
  from (select m.*, sum(greatest(m.last_day - m.first_day + 1, 0)) over (order by m.n) as days
        from (select u.*, p.sleep_target_hours, p.preferences ->> 'units' as units, least(l.dependent_day, as_of) as last_day,
                     l.dependent_day
              from unnest(marks, ids, owners, first_days, changed_days) with ordinality
                u (place, id, user_id, first_day, changed_day, n)
              join public.wt_profiles p on p.id = u.id
              cross join lateral (
                select case when u.changed_day + 30 < as_of then wt_private.last_dependent(u.id, u.changed_day)
                            else u.changed_day + 30 end as dependent_day
                offset 0) l) m) c
  where c.n = 1 or c.days <= 100000;
  profiles := cardinality(ids);
  reached := ids[profiles];
  scores := wt_private.score_days(ids, owners, sleep_targets, first_days, last_days);
  forecasts := wt_private.forecast_goals(ids, units, as_of);
  -- Later days still depend on the last changed ones, and the forecast's window moves on: the mark waits for the next day.
  update public.wt_engine_marks m
  set score_from = case when c.dependent_day >= as_of then greatest(m.score_from, as_of + 1) end,
      score_to = case when c.dependent_day >= as_of then m.score_to end,
      forecast_due = m.forecast_due and not wt_private.sees_goals(m.score_to, as_of), updated_at = now()
  -- Where it was claimed: nobody else has written it since.
  from unnest(marks, dependent_days) c (place, dependent_day)
  where m.ctid = c.place;
end $$;

-- Any marked profile, at random by where its mark lies; null where there is none. Engines that begin in different places seldom come
-- upon what another one is working on: two that took turns from the beginning needed a third more time, for each profile that they
-- pass by is locked by both.
create or replace function wt_private.engine_start() returns uuid
language sql volatile security invoker set search_path = '' set enable_seqscan = off as $$
  select k.id
  from public.wt_engine_marks k
  where k.ctid >= (select format('(%s,0)', floor(random() * pg_relation_size('public.wt_engine_marks')
                                                 / current_setting('block_size')::integer))::tid)
  limit 1
$$;

-- A run for one person (`only_user`) or for everybody. Begins no portion after its fifth second: it holds marks, and whoever
-- writes readings of the same people waits for it.
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
    -- What the person has just sent counts: it is judged first, in turn with whoever writes for them.
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
    -- All of it is in other hands. Holding no mark, so that nobody who has one waits for us, wait until one of them is done:
    -- whoever calls again finds work, and does not ask in circles. First for somebody who is just deleting the profile.
    perform from public.wt_profiles p where p.id = profile for key share;
    perform from public.wt_engine_marks m where m.id = profile for no key update;
  end if;
  return jsonb_build_object('as_of', as_of, 'profiles', profiles, 'scores', scores, 'forecasts', forecasts, 'left', is_left);
end $$;

-- The caller's own run; PT401 without a person. SECURITY DEFINER because people only read what the engine writes; it takes no person, so that nobody can
-- ask for anybody else.
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
