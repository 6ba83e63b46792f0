//! The ways in which a call of a function can go wrong, and the answer to each.
//!
//! Each has a status and a code, Supabase's own where it has one. The text tells the caller nothing of the inside.

use std::sync::OnceLock;

use axum::body::Body;
use http::{Response, StatusCode};

use crate::answer;

/// Why a function did not answer, or not to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The body of the request is larger than `body_mb`.
    TooLarge,
    /// The client stopped sending its body.
    SlowClient,
    /// No turn within `queue_wait_ms`.
    Busy,
    /// More processor time than `cpu_ms`.
    Cpu,
    /// More memory than `memory_mb`.
    Memory,
    /// No head of an answer within `first_byte_s`.
    FirstByte,
    /// The body of the answer stood still for `idle_s`.
    Idle,
    /// Not done within `total_s`.
    Total,
    /// The guest trapped, or asked the host for something that no guest may have.
    Trap,
    /// The guest ended itself with this code.
    Exit(i32),
    /// The guest returned without an answer, or with an error in place of one.
    NoAnswer,
    /// The host could not make an instance.
    Host,
}

impl Failure {
    /// The value of the label `reason` in metrics, and of `reason` in the log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "body_too_large",
            Self::SlowClient => "client_too_slow",
            Self::Busy => "busy",
            Self::Cpu => "cpu_limit",
            Self::Memory => "memory_limit",
            Self::FirstByte => "first_byte_limit",
            Self::Idle => "idle_limit",
            Self::Total => "total_limit",
            Self::Trap => "trap",
            Self::Exit(_) => "exit",
            Self::NoAnswer => "no_answer",
            Self::Host => "host",
        }
    }

    /// The answer, for a caller that has seen none yet. <https://supabase.com/docs/guides/functions/status-codes>
    pub(super) fn answer(self) -> Response<Body> {
        let worker_limit = StatusCode::from_u16(546).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self {
            Self::TooLarge => answer::error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "PAYLOAD_TOO_LARGE",
                "The body of the request is larger than this function takes",
            ),
            Self::SlowClient => answer::error(
                StatusCode::REQUEST_TIMEOUT,
                "REQUEST_TIMEOUT",
                "The body of the request stopped coming",
            ),
            Self::Busy => answer::come_again("BUSY", "The function is busy"),
            Self::Cpu | Self::Memory => answer::error(
                worker_limit,
                "WORKER_LIMIT",
                "Function failed due to not having enough compute resources (please check logs)",
            ),
            Self::FirstByte | Self::Idle | Self::Total => answer::error(
                StatusCode::GATEWAY_TIMEOUT,
                "IDLE_TIMEOUT",
                "The function did not answer in time",
            ),
            Self::Trap | Self::Exit(_) | Self::NoAnswer => answer::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "WORKER_ERROR",
                "Function exited due to an error (please check logs)",
            ),
            Self::Host => answer::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "BOOT_ERROR",
                "Function failed to start (please check logs)",
            ),
        }
    }
}

/// All values of [`Failure::reason`].
pub(crate) const REASONS: [&str; 12] = [
    "body_too_large",
    "client_too_slow",
    "busy",
    "cpu_limit",
    "memory_limit",
    "first_byte_limit",
    "idle_limit",
    "total_limit",
    "trap",
    "exit",
    "no_answer",
    "host",
];

/// The first failure of a run, which is the one that counts.
#[derive(Debug, Default)]
pub(super) struct FirstFailure(OnceLock<Failure>);

impl FirstFailure {
    /// Records a failure. True if it is the first.
    pub(super) fn set(&self, failure: Failure) -> bool {
        self.0.set(failure).is_ok()
    }

    /// The failure, if there was one.
    pub(super) fn get(&self) -> Option<Failure> {
        self.0.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_in_the_list_that_the_metrics_are_made_of() {
        for failure in [
            Failure::TooLarge,
            Failure::SlowClient,
            Failure::Busy,
            Failure::Cpu,
            Failure::Memory,
            Failure::FirstByte,
            Failure::Idle,
            Failure::Total,
            Failure::Trap,
            Failure::Exit(1),
            Failure::NoAnswer,
            Failure::Host,
        ] {
            assert!(REASONS.contains(&failure.reason()), "{failure:?}");
            assert!(failure.answer().status().as_u16() >= 400, "{failure:?}");
        }
    }
}
