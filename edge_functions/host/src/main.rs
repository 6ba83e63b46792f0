//! Runs WASM edge functions behind Supabase's URLs.

fn main() {}
