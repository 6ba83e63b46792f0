//! Black-box tests of the running host.
