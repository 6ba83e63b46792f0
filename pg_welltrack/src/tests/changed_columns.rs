//! `changed_columns`.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::{run, sqlstate, text};
    use pgrx::prelude::*;

    /// A table in which every kind of column stands, one of them dropped and one added to an existing row.
    const TABLE: &str = "
        create type mood as enum ('calm', 'tense');
        create table things (
          id int, gone text, note text, big text, flag boolean, amount numeric, at timestamptz, tags text[], doc jsonb,
          uid uuid, mood mood, name name, doubled int generated always as (id * 2) stored);
        alter table things alter big set storage external;
        insert into things (id, gone, note, big, flag, amount, at, tags, doc, uid, mood, name)
          select 1, 'x', 'note', string_agg(md5(i::text), ''), true, 1.0, now(), '{a,b}', '{\"a\": 1}',
                 gen_random_uuid(), 'calm', 'n' from generate_series(1, 1000) i;
        alter table things drop column gone;
        alter table things add column added text default 'late';
        create temp table seen (columns text[]);
        create function remember() returns trigger language plpgsql as $$
        begin
          insert into seen select welltrack.changed_columns(o, n, '{note}') from o join n using (uid);
          return null;
        end $$;
        create trigger remember after update on things referencing old table as o new table as n
          for each statement execute function remember();";

    fn changed_by(assignments: &str) -> String {
        run(&format!("truncate seen; update things set {assignments}"));
        text("select columns::text from seen", &[]).expect("one update")
    }

    #[pg_test]
    fn a_trigger_sees_the_columns_that_changed_and_only_those() {
        run(TABLE);
        for (assignments, expected) in [
            ("flag = flag", "{}"),
            ("flag = false", "{flag}"),
            ("flag = null", "{flag}"),
            ("flag = null", "{}"),
            ("note = 'other'", "{}"),
            ("id = 2", "{id,doubled}"),
            ("big = big || ''", "{}"),
            ("big = overwrite(big)", "{big}"),
            ("amount = 1.00", "{amount}"),
            ("tags = '{a,b}'", "{}"),
            ("tags = '{a}', doc = '{\"a\": 2}', mood = 'tense', name = 'm'", "{tags,doc,mood,name}"),
            ("added = 'late'", "{}"),
            ("added = 'later', at = at + interval '1 microsecond'", "{at,added}"),
        ] {
            let assignments = assignments.replace("overwrite(big)", "overlay(big placing '!' from 20000)");
            assert_eq!(changed_by(&assignments), expected, "{assignments}");
        }
    }

    #[pg_test]
    fn the_same_value_toasted_compressed_or_plain_is_the_same() {
        run("create table a (v text); alter table a alter v set storage extended;
             insert into a select repeat('x', 10000);
             create table b (like a); alter table b alter v set storage external; insert into b select v || '' from a;
             create table c (v text); alter table c alter v set storage plain; insert into c select substr(v, 1, 7000) from a;
             create table d (v text); insert into d select v from c;");
        let answer = text(
            "select (select welltrack.changed_columns(a, row(b.v)::a, '{}') from a, b)::text
                 || (select welltrack.changed_columns(c, row(d.v)::c, '{}') from c, d)::text
                 || (select welltrack.changed_columns(d, row(d.v || '!')::d, '{}') from d)::text",
            &[],
        );
        assert_eq!(answer.as_deref(), Some("{}{}{v}"));
    }

    #[pg_test]
    fn rows_in_variables_and_anonymous_rows_can_be_compared() {
        run("create table t (a int, b text); insert into t values (1, 'x')");
        let answer = text(
            "create function pg_temp.compare() returns text language plpgsql as $$
             declare before t; after t;
             begin
               select * into before from t;
               after := before;
               after.b := null;
               return welltrack.changed_columns(before, after, array['a', null])::text;
             end $$;
             select pg_temp.compare() || welltrack.changed_columns(row(1, 2), row(1, 3), '{}')::text",
            &[],
        );
        assert_eq!(answer.as_deref(), Some("{b}{f2}"));
    }

    #[pg_test]
    fn what_is_no_pair_of_rows_is_42804_and_null_gives_null() {
        run("create table t (a int); create domain positive as t check ((value).a > 0)");
        assert_eq!(sqlstate("select welltrack.changed_columns(1, 2, '{}')"), "42804");
        assert_eq!(sqlstate("select welltrack.changed_columns('a'::text, 'b'::text, '{}')"), "42804");
        assert_eq!(sqlstate("select welltrack.changed_columns(row(1), row(1, 2), '{}')"), "42804");
        assert_eq!(text("select welltrack.changed_columns(null::t, null::t, '{}')::text", &[]), None);
        assert_eq!(text("select welltrack.changed_columns(row(1)::t, row(2)::t, null)::text", &[]), None);
        let domain =
            text("select welltrack.changed_columns(row(1)::positive, row(2)::positive, '{}')::text", &[]);
        assert_eq!(domain.as_deref(), Some("{a}"));
    }
}
