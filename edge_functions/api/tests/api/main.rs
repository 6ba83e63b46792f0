//! The library from outside: tokens and the short way. The short way wants a test cluster: `WELLTRACK_TEST_ADMIN_URL` and
//! `WELLTRACK_TEST_TEMPLATE`, as the flows do.

mod jwt;
mod pool;
mod support;
