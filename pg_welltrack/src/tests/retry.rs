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

    #[pg_test]
    fn max_attempts_is_the_attempt_after_which_there_is_no_wait() {
        let consistent = text(
            "select bool_and(welltrack.retry_delay(s, welltrack.max_attempts(s)) is null
                             and welltrack.retry_delay(s, welltrack.max_attempts(s) - 1) is not null)::text
             from unnest('{garmin,strava}'::text[]) s",
            &[],
        );
        assert_eq!(consistent.as_deref(), Some("true"));
        assert_eq!(text("select welltrack.max_attempts()::text", &[]).as_deref(), Some("5"));
    }
}
