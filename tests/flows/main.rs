//! Black-box tests over the real database, one module for each flow or promise.

mod classes;
mod deletion_export;
mod functions;
mod logs;
mod onboarding;
mod rls_matrix;
mod shape;
mod signup;
mod tenancy;
