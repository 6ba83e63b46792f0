//! `is_timezone` and `handle_new_user`.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::{run, sqlstate, text};
    use pgrx::prelude::*;

    /// The least that the trigger needs of the schema.
    const TABLES: &str = "
        create schema auth;
        create table auth.users (id uuid primary key default gen_random_uuid(), email varchar(255), phone text,
          is_anonymous boolean not null default false, raw_user_meta_data jsonb);
        create type public.profile_type as enum ('parent', 'dependent');
        create table public.wt_users (id uuid primary key references auth.users, avatar_url text,
          display_name text not null check (char_length(display_name) between 1 and 80),
          timezone text not null check (welltrack.is_timezone(timezone)));
        create table public.wt_profiles (user_id uuid references public.wt_users, profile_type public.profile_type,
          display_name text not null, is_primary boolean);
        create trigger on_auth_user_created after insert on auth.users
          for each row execute function welltrack.handle_new_user();";

    const PERSON: &str =
        "select concat_ws(' ', u.display_name, u.avatar_url, u.timezone, p.profile_type, p.is_primary,
            p.display_name = u.display_name)
        from auth.users a join public.wt_users u using (id) join public.wt_profiles p on p.user_id = u.id";

    #[pg_test]
    fn every_kind_of_signup_makes_a_person_and_their_primary_profile() {
        run(TABLES);
        for (columns, values, expected) in [
            ("email", "'ada@example.com'", "ada UTC parent t t"),
            ("phone", "'+4912345'", "Member UTC parent t t"),
            ("is_anonymous", "true", "Member UTC parent t t"),
            (
                "email, raw_user_meta_data",
                r#"'a@b', '{"full_name": " Ada  Lovelace", "avatar_url": "https://x/y", "timezone": "Europe/Berlin"}'"#,
                "Ada Lovelace https://x/y Europe/Berlin parent t t",
            ),
        ] {
            run("truncate auth.users cascade");
            run(&format!("insert into auth.users ({columns}) values ({values})"));
            assert_eq!(text(PERSON, &[]).as_deref(), Some(expected), "{columns}");
        }
    }

    #[pg_test]
    fn hostile_metadata_never_fails_a_signup() {
        run(TABLES);
        run(r#"insert into auth.users (email, raw_user_meta_data) values
            ('a@b', '[]'), ('a@b', '7'), ('a@b', 'null'), ('a@b', '"text"'), (repeat('x', 255), null), ('@', '{}'),
            ('a@b', '{"full_name": ["a"], "name": {"b": 1}, "timezone": 7, "avatar_url": [1e400]}'),
            ('a@b', '{"full_name": "\u202e\u0007\u200b", "name": " \t\n"}'),
            ('a@b', '{"timezone": "EST5EDT4", "avatar_url": "javascript:alert(1)"}'),
            ('a@b', '{"timezone": "../../etc/passwd", "avatar_url": "https://a b"}'),
            ('a@b', '{"name": "''); drop table public.wt_users; --"}'),
            ('a@b', jsonb_build_object('full_name', repeat('n', 10000000), 'timezone', repeat('z', 10000000),
                                       'avatar_url', 'https://' || repeat('u', 10000000))),
            ('a@b', (repeat('[', 5000) || repeat(']', 5000))::jsonb),
            ('a@b', jsonb_build_object('deep', (repeat('[', 5000) || repeat(']', 5000))::jsonb, 'name', 'Ada'));"#);
        let people = text(
            "select count(*) || ' ' || count(*) filter (where u.display_name = 'Ada')
             from public.wt_users u join public.wt_profiles p on p.user_id = u.id",
            &[],
        );
        assert_eq!(people.as_deref(), Some("14 1"));
    }

    #[pg_test]
    fn a_hostile_search_path_changes_nothing() {
        run(TABLES);
        run("create schema evil; create table evil.wt_users (like public.wt_users);
             create table evil.wt_profiles (like public.wt_profiles);
             set local search_path = evil, pg_temp;
             insert into auth.users (email) values ('ada@example.com');");
        assert_eq!(text("select count(*)::text from evil.wt_users", &[]).as_deref(), Some("0"));
        assert_eq!(text("select count(*)::text from public.wt_users", &[]).as_deref(), Some("1"));
    }

    #[pg_test]
    fn it_has_the_rights_of_whoever_inserts_and_no_others() {
        run(TABLES);
        run("create role signup_role; grant usage on schema auth, public, welltrack to signup_role;
             grant insert, select on auth.users to signup_role;");
        let signup = "set local role signup_role; insert into auth.users (email) values ('a@b')";
        assert_eq!(sqlstate(signup), "42501");
        assert_eq!(text("select count(*)::text from auth.users", &[]).as_deref(), Some("0"));
        run("grant insert (id, display_name, avatar_url, timezone) on public.wt_users to signup_role;
             grant insert (user_id, profile_type, display_name, is_primary) on public.wt_profiles to signup_role;");
        assert_eq!(sqlstate(signup), "00000");
    }

    #[pg_test]
    fn nobody_else_can_attach_or_call_it() {
        run("create role stranger; grant usage on schema welltrack to stranger; grant create on schema public to stranger;
             set local role stranger; create table public.mine (id uuid, email text, raw_user_meta_data jsonb);");
        let attach = "create trigger t after insert on public.mine for each row execute function welltrack.handle_new_user()";
        assert_eq!(sqlstate(attach), "42501");
        assert_eq!(sqlstate("select welltrack.handle_new_user()"), "42501");
    }

    #[pg_test]
    fn attached_to_the_wrong_event_or_table_it_is_39p01() {
        run(TABLES);
        run("create table plain (id uuid, email text, raw_user_meta_data jsonb);
             create table bare (id uuid); create table textual (id uuid, email text, raw_user_meta_data text);
             create table numbered (id int default 1, email text, raw_user_meta_data jsonb);
             create trigger t before insert on plain for each row execute function welltrack.handle_new_user();
             create trigger u after update on plain for each row execute function welltrack.handle_new_user();
             create trigger t after insert on bare for each row execute function welltrack.handle_new_user();
             create trigger t after insert on textual for each row execute function welltrack.handle_new_user();
             create trigger t after insert on numbered for each row execute function welltrack.handle_new_user();
             create table each (id uuid, email text, raw_user_meta_data jsonb);
             create trigger t after insert on each for each statement execute function welltrack.handle_new_user();");
        for table in ["plain", "bare", "textual", "numbered", "each"] {
            assert_eq!(sqlstate(&format!("insert into {table} default values")), "39P01", "{table}");
        }
        run("alter table plain disable trigger t; insert into plain default values;");
        assert_eq!(sqlstate("update plain set email = 'x'"), "39P01");
    }

    #[pg_test]
    fn every_zone_of_the_server_is_a_time_zone() {
        let refused = text(
            "select string_agg(name, ' ' order by name) from pg_timezone_names
             where name !~ '^(posix|right)/' and name not in ('posixrules', 'localtime', 'Factory')
               and not welltrack.is_timezone(name)",
            &[],
        );
        assert_eq!(refused.as_deref(), Some("CET EET MET WET"));
    }

    /// `set timezone` looks among the zones alone, `at time zone` among the abbreviations first.
    #[pg_test]
    fn a_time_zone_is_the_same_clock_however_it_is_asked_for() {
        let differing = text(
            "select string_agg(distinct name, ' ')
             from pg_timezone_names, generate_series(timestamptz '2026-01-15 UTC', '2026-12-15 UTC', interval '1 month') t
             where name !~ '^(posix|right)/' and welltrack.is_timezone(name)
               and case when set_config('timezone', name, true) is not null then t::timestamp <> t at time zone name end",
            &[],
        );
        assert_eq!(differing, None);
    }

    #[pg_test]
    fn rules_abbreviations_and_paths_are_no_time_zones() {
        let accepted = text(
            "select string_agg(name, ' ') from unnest('{EST5EDT4,Europe/Berlin5,<+03>-3,+02:00,UTC+2,Mars/Olympus,CEST,\
               posix/UTC,right/UTC,posixrules,../passwd,/etc/localtime,zone.tab,Europe,\"\"}'::text[]) name
             where welltrack.is_timezone(name)",
            &[],
        );
        assert_eq!(accepted, None);
        assert_eq!(
            text("select welltrack.is_timezone(repeat('a', 1000000))::text", &[]).as_deref(),
            Some("false")
        );
        assert_eq!(text("select welltrack.is_timezone(null)::text", &[]), None);
    }
}
