//! Black-box tests over the real database, one module for each flow or promise.

mod baselines;
mod classes;
mod connections;
mod deletion_export;
mod events;
mod functions;
mod ingest_bad;
mod ingest_doors;
mod ingest_faults;
mod ingest_malformed;
mod ingest_model;
mod ingest_races;
mod lifesnaps;
mod logs;
mod onboarding;
mod priority;
mod provider_rows;
mod queue;
mod queue_model;
mod queue_races;
mod readings;
mod rls_matrix;
mod shape;
mod signup;
mod tenancy;
mod validation;
