//! Black-box tests of the running host: the real binary, real connections, and a guest that misbehaves as asked
//! (`tests/guests`). They need that guest, built, in the folder `WELLTRACK_TEST_GUESTS`; those with a database take one of their
//! own from the cluster at `WELLTRACK_TEST_ADMIN_URL`.

mod bodies;
mod connections;
mod limits;
mod logs;
mod outgoing;
mod queue;
mod reload;
mod requests;
mod settings;
mod stop;
mod support;
mod tls;
mod triggers;
