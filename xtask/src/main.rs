//! The one script.
fn main() {}
