//! Ids as SQL makes them.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::text;
    use pgrx::prelude::*;

    #[pg_test]
    fn ids_of_one_connection_are_distinct_ordered_and_of_version_seven() {
        let sound = text(
            "with made as materialized (select n, welltrack.uuid_v7() as id from generate_series(1, 10000) n),
                  seen as (select id, lag(id) over (order by n) as before from made)
             select (bool_and(before is null or before < id)
                     and bool_and(id::text ~ '^.{14}7.{4}[89ab]'))::text from seen",
            &[],
        );
        assert_eq!(sound.as_deref(), Some("true"));
    }

    #[pg_test]
    fn an_id_begins_with_the_time_of_its_making() {
        let near = text(
            "select (abs(extract(epoch from clock_timestamp())
                     - ('x' || left(replace(welltrack.uuid_v7()::text, '-', ''), 12))::bit(48)::bigint / 1000.0) < 60)::text",
            &[],
        );
        assert_eq!(near.as_deref(), Some("true"));
    }
}
