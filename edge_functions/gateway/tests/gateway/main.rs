//! The gateway from outside: tokens, the short way, REST, the local GoTrue. All but the tokens want a test cluster:
//! `WELLTRACK_TEST_ADMIN_URL` and `WELLTRACK_TEST_TEMPLATE`, as the flows do.

mod answers;
mod auth;
mod jwt;
mod pool;
mod rest;
mod support;
