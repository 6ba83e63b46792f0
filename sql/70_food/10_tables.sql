-- Food: what is in the kitchen, recipes, meals and the nutrients in them, leftovers.

create type public.wt_pantry_category as enum ('fridge', 'cupboard', 'freezer');
create type public.wt_recipe_source as enum ('url', 'ocr', 'ai', 'manual');
create type public.wt_difficulty as enum ('easy', 'medium', 'hard');
create type public.wt_nutrition_grade as enum ('A', 'B', 'C', 'D');
create type public.wt_meal_type as enum ('breakfast', 'lunch', 'dinner', 'snack');

create table public.wt_nutrients (
  id uuid primary key default gen_random_uuid(),
  name text not null unique,
  unit text not null,
  is_macro boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
call wt_private.protect('public.wt_nutrients', 'reference');
insert into public.wt_nutrients (name, unit, is_macro) values
  ('energy', 'kcal', true), ('protein', 'g', true), ('carbohydrate', 'g', true), ('fat', 'g', true),
  ('fiber', 'g', true), ('sugar', 'g', true), ('saturated fat', 'g', true), ('sodium', 'mg', false),
  ('potassium', 'mg', false), ('calcium', 'mg', false), ('iron', 'mg', false), ('magnesium', 'mg', false),
  ('zinc', 'mg', false), ('vitamin A', 'ug', false), ('vitamin B12', 'ug', false), ('vitamin C', 'mg', false),
  ('vitamin D', 'ug', false), ('vitamin E', 'mg', false), ('vitamin K', 'ug', false), ('folate', 'ug', false),
  ('omega-3', 'g', false), ('cholesterol', 'mg', false);

create table public.wt_nutrient_targets (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  nutrient_id uuid not null references public.wt_nutrients (id),
  daily_amount double precision not null check (daily_amount between 0 and 1000000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, nutrient_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_nutrient_targets_profile_idx on public.wt_nutrient_targets (profile_id, user_id);
create index wt_nutrient_targets_nutrient_idx on public.wt_nutrient_targets (nutrient_id);
call wt_private.protect('public.wt_nutrient_targets', 'owned');

create table public.wt_pantry_items (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  name text not null check (char_length(name) between 1 and 120),
  category public.wt_pantry_category not null default 'cupboard',
  quantity double precision not null default 1 check (quantity between 0 and 1000000),
  unit text check (char_length(unit) <= 32),
  expiry_date date check (expiry_date between '1970-01-01' and '2100-12-31'),
  is_available boolean not null default true,
  barcode text check (barcode ~ '^[0-9A-Za-z-]{1,48}$'),
  cost numeric(10, 2) check (cost >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_pantry_items_profile_idx on public.wt_pantry_items (profile_id, user_id);
call wt_private.protect('public.wt_pantry_items', 'owned');

create table public.wt_recipes (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  title text not null check (char_length(title) between 1 and 200),
  description text check (char_length(description) <= 4000),
  servings double precision not null default 1 check (servings > 0 and servings <= 1000),
  prep_time_min integer check (prep_time_min between 0 and 10080),
  cook_time_min integer check (cook_time_min between 0 and 10080),
  difficulty public.wt_difficulty,
  source_type public.wt_recipe_source not null default 'manual',
  source_url text check (source_url ~ '^https?://' and char_length(source_url) <= 2048),
  nutrition_score public.wt_nutrition_grade,
  tags text[] not null default '{}' check (cardinality(tags) <= 50),
  image_url text check (image_url ~ '^https?://' and char_length(image_url) <= 2048),
  rating integer check (rating between 1 and 5),
  is_favorite boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_recipes_profile_idx on public.wt_recipes (profile_id, user_id);
call wt_private.protect('public.wt_recipes', 'owned');

create table public.wt_recipe_steps (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  recipe_id uuid not null,
  order_index integer not null check (order_index between 0 and 1000),
  instruction text not null check (char_length(instruction) between 1 and 4000),
  duration_minutes double precision check (duration_minutes between 0 and 10080),
  equipment text[] not null default '{}',
  ingredient_refs uuid[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (recipe_id, order_index),
  foreign key (recipe_id, user_id) references public.wt_recipes (id, user_id) on delete cascade
);
create index wt_recipe_steps_recipe_idx on public.wt_recipe_steps (recipe_id, user_id);
call wt_private.protect('public.wt_recipe_steps', 'owned');

create table public.wt_recipe_ingredients (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  recipe_id uuid not null,
  ingredient_name text not null check (char_length(ingredient_name) between 1 and 120),
  quantity double precision check (quantity between 0 and 1000000),
  unit text check (char_length(unit) <= 32),
  notes text check (char_length(notes) <= 1000),
  sort_order integer not null default 0 check (sort_order between 0 and 1000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (recipe_id, user_id) references public.wt_recipes (id, user_id) on delete cascade
);
create index wt_recipe_ingredients_recipe_idx on public.wt_recipe_ingredients (recipe_id, user_id);
call wt_private.protect('public.wt_recipe_ingredients', 'owned');

create table public.wt_meals (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  recipe_id uuid,
  meal_date date not null default current_date check (meal_date between '1970-01-01' and '2100-12-31'),
  meal_type public.wt_meal_type not null,
  name text not null check (char_length(name) between 1 and 200),
  servings_consumed double precision not null default 1 check (servings_consumed between 0 and 100),
  nutrition_info jsonb not null default '{}'
    check (jsonb_typeof(nutrition_info) = 'object' and pg_column_size(nutrition_info) <= 65536),
  score public.wt_nutrition_grade,
  rating integer check (rating between 1 and 5),
  notes text check (char_length(notes) <= 4000),
  photo_url text check (photo_url ~ '^https?://' and char_length(photo_url) <= 2048),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade,
  foreign key (recipe_id, user_id) references public.wt_recipes (id, user_id) on delete set null (recipe_id)
);
create index wt_meals_profile_idx on public.wt_meals (profile_id, user_id, meal_date);
create index wt_meals_recipe_idx on public.wt_meals (recipe_id, user_id);
call wt_private.protect('public.wt_meals', 'owned');

create table public.wt_meal_nutrient_breakdown (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  meal_id uuid not null,
  nutrient_id uuid not null references public.wt_nutrients (id),
  amount double precision not null check (amount between 0 and 1000000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (meal_id, nutrient_id),
  foreign key (meal_id, user_id) references public.wt_meals (id, user_id) on delete cascade
);
create index wt_meal_nutrient_breakdown_meal_idx on public.wt_meal_nutrient_breakdown (meal_id, user_id);
create index wt_meal_nutrient_breakdown_nutrient_idx on public.wt_meal_nutrient_breakdown (nutrient_id);
call wt_private.protect('public.wt_meal_nutrient_breakdown', 'owned');

create table public.wt_leftovers (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  source_recipe_id uuid,
  name text not null check (char_length(name) between 1 and 200),
  quantity double precision not null default 1 check (quantity between 0 and 1000000),
  unit text check (char_length(unit) <= 32),
  stored_date date not null default current_date check (stored_date between '1970-01-01' and '2100-12-31'),
  expiry_date date check (expiry_date between stored_date and '2100-12-31'),
  is_consumed boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade,
  foreign key (source_recipe_id, user_id) references public.wt_recipes (id, user_id)
    on delete set null (source_recipe_id)
);
create index wt_leftovers_profile_idx on public.wt_leftovers (profile_id, user_id);
create index wt_leftovers_recipe_idx on public.wt_leftovers (source_recipe_id, user_id);
call wt_private.protect('public.wt_leftovers', 'owned');

-- Supplements: what a person has, the protocol they follow, and what they took.

create table public.wt_supplements (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  name text not null check (char_length(name) between 1 and 120),
  brand text check (char_length(brand) <= 120),
  form text check (char_length(form) <= 40),
  dose_amount double precision check (dose_amount between 0 and 1000000),
  dose_unit text check (char_length(dose_unit) <= 32),
  notes text check (char_length(notes) <= 2000),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_supplements_profile_idx on public.wt_supplements (profile_id, user_id);
call wt_private.protect('public.wt_supplements', 'owned');

create table public.wt_supplement_protocols (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  supplement_id uuid not null,
  times_of_day time[] not null default '{}' check (cardinality(times_of_day) <= 24),
  days_of_week integer[] not null default '{1,2,3,4,5,6,7}' check (days_of_week <@ '{1,2,3,4,5,6,7}'),
  start_date date not null default current_date check (start_date between '1970-01-01' and '2100-12-31'),
  end_date date check (end_date between start_date and '2100-12-31'),
  instructions text check (char_length(instructions) <= 2000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (supplement_id, user_id) references public.wt_supplements (id, user_id) on delete cascade
);
comment on column public.wt_supplement_protocols.days_of_week is 'ISO: 1 is Monday, 7 is Sunday';
create index wt_supplement_protocols_supplement_idx on public.wt_supplement_protocols (supplement_id, user_id);
call wt_private.protect('public.wt_supplement_protocols', 'owned');

create table public.wt_supplement_logs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  supplement_id uuid not null,
  taken_at timestamptz not null default now() check (taken_at between '1970-01-01 UTC' and '2101-01-01 UTC'),
  dose_amount double precision check (dose_amount between 0 and 1000000),
  notes text check (char_length(notes) <= 2000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (supplement_id, user_id) references public.wt_supplements (id, user_id) on delete cascade
);
create index wt_supplement_logs_supplement_idx on public.wt_supplement_logs (supplement_id, user_id, taken_at);
call wt_private.protect('public.wt_supplement_logs', 'owned');
