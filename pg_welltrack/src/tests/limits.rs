//! `size_limit`.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::{sqlstate, text};
    use pgrx::prelude::*;
    use welltrack_core::limits::NAMED;

    #[pg_test]
    fn every_named_limit_is_the_one_of_the_table() {
        for (name, limit) in NAMED {
            let told = text("select welltrack.size_limit($1)::text", &[name.into()]);
            assert_eq!(told, Some(limit.to_string()), "{name}");
        }
        assert_eq!(sqlstate("select welltrack.size_limit('sky')"), "22023");
    }
}
