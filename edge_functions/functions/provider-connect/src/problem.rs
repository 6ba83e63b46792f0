//! What keeps a request from being served, in words for the caller and, where it is ours to mend, for the log.

use std::fmt::Display;

use welltrack_kit::rpc::RpcError;
use welltrack_kit::settings::Missing;
use welltrack_kit::tokens::KeyRingError;
use wstd::http::StatusCode;

/// An answer that is not the one hoped for.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// What only the operator should read.
    cause: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), cause: None }
    }

    pub(crate) fn path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "No such path: use authorize, callback, complete, disconnect or rotate-keys",
        )
    }

    pub(crate) fn body(why: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_BODY", format!("the body can't be read: {why}"))
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "this needs the token of a signed-in person")
    }

    /// What `find_oauth_state` and `take_oauth_state` refuse. A state that leads nowhere is the caller's to mend.
    pub(crate) fn unknown_state(error: RpcError) -> Self {
        if error.is_not_found() {
            let message = "this consent was used before, has expired, or is somebody else's: connect once more from the app";
            Self::new(StatusCode::BAD_REQUEST, "STATE_NOT_FOUND", message)
        } else {
            error.into()
        }
    }

    /// A fault of the installation.
    pub(crate) fn ours(cause: String) -> Self {
        let message = "this function is not set up for that; its log says why";
        Self { cause: Some(cause), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "NOT_SET_UP", message) }
    }

    /// Something that may pass.
    pub(crate) fn passing(cause: String) -> Self {
        let message = "that did not work now; try again";
        Self { cause: Some(cause), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "TRY_AGAIN", message) }
    }

    pub(crate) fn log(&self) {
        if let Some(cause) = &self.cause {
            eprintln!("{}: {cause}", self.code);
        }
    }
}

impl From<Missing> for Problem {
    fn from(missing: Missing) -> Self {
        Self::ours(missing.to_string())
    }
}

impl From<KeyRingError> for Problem {
    fn from(error: KeyRingError) -> Self {
        Self::ours(error.to_string())
    }
}

/// What the database's functions refuse is the caller's to mend, anything else passes.
impl From<RpcError> for Problem {
    fn from(error: RpcError) -> Self {
        match error {
            RpcError::Refused { status, message, .. } if status == StatusCode::NOT_FOUND => {
                Self::new(status, "NOT_FOUND", message)
            }
            RpcError::Refused { status, message, .. } if status == StatusCode::BAD_REQUEST => {
                Self::new(status, "BAD_REQUEST", message)
            }
            error => Self::passing(error.to_string()),
        }
    }
}
