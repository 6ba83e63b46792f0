//! Black-box tests over the real database, one module for each flow or promise.
