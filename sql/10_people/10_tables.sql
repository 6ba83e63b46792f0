-- Flow 1: people, their profiles, the modules they see, and the rights that signup needs.

create type public.wt_plan_tier as enum ('free', 'pro', 'enterprise');
create type public.wt_profile_type as enum ('parent', 'dependent');
create type public.wt_gender as enum ('female', 'male', 'other', 'undisclosed');
create type public.wt_activity_level as enum ('sedentary', 'light', 'moderate', 'active', 'very_active');
create type public.wt_module as enum (
  'meals', 'nutrients', 'supplements', 'workouts', 'health', 'insights', 'reminders', 'plans', 'pantry', 'daily');

create table public.wt_users (
  id uuid primary key references auth.users (id) on delete cascade,
  -- The tenant key has the same name in every table, so that every policy is the same test.
  user_id uuid not null generated always as (id) stored,
  display_name text not null check (char_length(display_name) between 1 and 80),
  avatar_url text check (avatar_url ~ '^https?://' and char_length(avatar_url) <= 2048),
  onboarding_completed boolean not null default false,
  plan_tier public.wt_plan_tier not null default 'free',
  timezone text not null default 'UTC' check (welltrack.is_timezone(timezone)),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.wt_users.timezone is 'IANA name; the local day of every reading comes from it';
comment on column public.wt_users.plan_tier is 'set by billing through the service role, never by clients';
call wt_private.protect('public.wt_users', 'account', audited => true,
  client_columns => array['display_name', 'avatar_url', 'onboarding_completed', 'timezone']);

create table public.wt_profiles (
  -- Time-ordered ids keep the rows of adjacent profiles on the same pages, which batch jobs read in that order.
  id uuid primary key default welltrack.uuid_v7(),
  user_id uuid not null default auth.uid() references public.wt_users (id) on delete cascade,
  profile_type public.wt_profile_type not null default 'dependent',
  is_primary boolean not null default false,
  display_name text not null check (char_length(display_name) between 1 and 80),
  avatar_url text check (avatar_url ~ '^https?://' and char_length(avatar_url) <= 2048),
  date_of_birth date check (date_of_birth between '1900-01-01' and '2100-01-01'),
  gender public.wt_gender,
  height_cm double precision check (height_cm between 20 and 300),
  weight_kg double precision check (weight_kg between 0.2 and 700),
  activity_level public.wt_activity_level,
  fitness_goals text[] check (cardinality(fitness_goals) <= 50),
  dietary_restrictions text[] check (cardinality(dietary_restrictions) <= 50),
  allergies text[] check (cardinality(allergies) <= 100),
  preferences jsonb not null default '{}'
    check (jsonb_typeof(preferences) = 'object' and pg_column_size(preferences) <= 65536),
  sleep_target_hours double precision not null default 8 check (sleep_target_hours between 4 and 14),
  modules_provisioned_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- What every profile-scoped table refers to, so that no row can refer to another person's profile.
  unique (id, user_id),
  check (is_primary = (profile_type = 'parent'))
);
comment on column public.wt_profiles.fitness_goals is 'null until asked; an empty list is an answer';
comment on column public.wt_profiles.dietary_restrictions is 'null until asked; an empty list is an answer';
comment on column public.wt_profiles.modules_provisioned_at is 'when the default modules were laid out, once for each profile';
create unique index wt_profiles_one_primary on public.wt_profiles (user_id) where is_primary;
create index wt_profiles_user_idx on public.wt_profiles (user_id);
-- Clients make and edit profiles but never decide which one is primary.
call wt_private.protect('public.wt_profiles', 'owned', audited => true, client_columns => array[
  'id', 'user_id', 'display_name', 'avatar_url', 'date_of_birth', 'gender', 'height_cm', 'weight_kg', 'activity_level',
  'fitness_goals', 'dietary_restrictions', 'allergies', 'preferences', 'sleep_target_hours', 'created_at', 'updated_at']);

create table public.wt_profile_modules (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  module_name public.wt_module not null,
  enabled boolean not null default true,
  tile_order integer not null default 0 check (tile_order between 0 and 1000),
  tile_config jsonb not null default '{}'
    check (jsonb_typeof(tile_config) = 'object' and pg_column_size(tile_config) <= 16384),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, module_name),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_profile_modules_profile_idx on public.wt_profile_modules (profile_id, user_id);
call wt_private.protect('public.wt_profile_modules', 'owned');

-- Signup. GoTrue's role fires the trigger and the function runs with that role's rights. So the role may insert a free account that
-- has not been onboarded, and its primary profile; nothing else, and it may not select.
grant usage on schema public to supabase_auth_admin;
grant insert (id, display_name, avatar_url, timezone) on public.wt_users to supabase_auth_admin;
create policy signup on public.wt_users for insert to supabase_auth_admin
  with check (plan_tier = 'free' and not onboarding_completed);
grant insert (user_id, profile_type, display_name, is_primary) on public.wt_profiles to supabase_auth_admin;
create policy signup on public.wt_profiles for insert to supabase_auth_admin
  with check (is_primary and profile_type = 'parent');
