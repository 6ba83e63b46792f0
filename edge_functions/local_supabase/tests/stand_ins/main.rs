//! The stand-ins from outside, and the short way held to the long one. All of it wants a test cluster:
//! `WELLTRACK_TEST_ADMIN_URL` and `WELLTRACK_TEST_TEMPLATE`, as the flows do.

mod answers;
mod auth;
mod rest;
#[path = "../../../api/tests/api/support.rs"]
mod support;
