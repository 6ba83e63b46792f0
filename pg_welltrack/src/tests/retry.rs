//! The waits of the queue.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::text;
    use pgrx::prelude::*;

    #[pg_test]
    fn waits_grow_as_the_flow_says_and_end_after_the_fifth_failure() {
        let waits = text(
            "select string_agg(coalesce(welltrack.retry_delay(n)::text, 'no more'), ', ' order by n)
             from generate_series(-1, 6) n",
            &[],
        );
        assert_eq!(
            waits.as_deref(),
            Some("00:00:00, 00:00:00, 00:05:00, 00:30:00, 02:00:00, 06:00:00, no more, no more")
        );
    }
}
