//! Everything that can go wrong, each with its SQLSTATE.
//!
//! Promises: an error of this extension never surfaces as an internal one (`XX000`), and where the caller can do
//! something about it, the hint says what. Stops at errors of ours: those of the server pass through as they are.

use std::fmt;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use welltrack_core::dedupe::DedupeError;
use welltrack_core::metric::UnknownLabel;
use welltrack_core::providers::app_batch::{BatchError, MAX_RECORDS};
use welltrack_core::recovery::WindowError;
use welltrack_core::regression::LEVELS;
use welltrack_core::units::UnitError;

/// Why a function refused.
#[derive(Debug)]
pub(crate) enum Error {
    /// A metric or a source that nobody knows.
    Label(UnknownLabel),
    /// A value that can't be converted.
    Unit(UnitError),
    /// A reading that has no identity.
    Identity(DedupeError),
    /// A payload that is no batch.
    Batch(BatchError),
    /// Something else than two rows of one type.
    NotRows,
    /// Days that make no recovery score.
    Window(WindowError),
    /// Rows of one group that ask for different scores.
    OtherDay,
    /// A probability for which there is no interval.
    Level(f64),
    /// A part of an aggregate called by itself.
    NotAggregate,
    /// A result type of another version than the function's.
    OtherType,
    /// A trigger function attached where it doesn't belong.
    Trigger(String),
}

impl Error {
    fn sqlstate(&self) -> PgSqlErrorCode {
        match self {
            Error::Label(_) | Error::Unit(UnitError::Unknown { .. }) => {
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE
            }
            Error::Unit(UnitError::NotFinite) => PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            Error::Identity(DedupeError::InvalidLabel) => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            Error::Identity(DedupeError::TimeOutOfRange) => PgSqlErrorCode::ERRCODE_DATETIME_FIELD_OVERFLOW,
            Error::Batch(BatchError::Shape(_)) => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            Error::Batch(BatchError::TooMany(_)) => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Error::NotRows => PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
            Error::Window(WindowError::SleepTarget(_)) | Error::OtherDay | Error::Level(_) => {
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE
            }
            Error::Window(WindowError::SecondRow { .. }) => PgSqlErrorCode::ERRCODE_CARDINALITY_VIOLATION,
            Error::NotAggregate => PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            Error::OtherType => PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
            Error::Trigger(_) => PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Unit(UnitError::Unknown { metric, .. }) => {
                format!("Units of {metric}: {}.", UnitError::accepted(*metric))
            }
            Error::Batch(BatchError::Shape(_)) => {
                r#"A batch is {"source", "ingestion_version", "records": [...]}, or an array of records."#
                    .to_owned()
            }
            Error::Batch(BatchError::TooMany(_)) => format!("Send at most {MAX_RECORDS} records at once."),
            Error::OtherDay => "Group by person and scored day.".to_owned(),
            Error::OtherType => "Run ALTER EXTENSION pg_welltrack UPDATE.".to_owned(),
            Error::Trigger(_) => "Attach it AFTER INSERT ON auth.users FOR EACH ROW.".to_owned(),
            _ => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Label(error) => error.fmt(f),
            // The accepted units stand in the hint.
            Error::Unit(UnitError::Unknown { metric, given }) => {
                write!(f, "{given} is not a unit of {metric}")
            }
            Error::Unit(error) => error.fmt(f),
            Error::Identity(error) => error.fmt(f),
            Error::Batch(error) => error.fmt(f),
            Error::NotRows => f.write_str("changed_columns compares two rows of one table"),
            Error::Window(error) => error.fmt(f),
            Error::OtherDay => f.write_str("one group holds rows for several scores"),
            Error::Level(level) => write!(f, "a level of {level:?} is outside {}..{}", LEVELS.0, LEVELS.1),
            Error::NotAggregate => f.write_str("this function is a part of an aggregate"),
            Error::OtherType => f.write_str("the result type is not the one that this library knows"),
            Error::Trigger(problem) => write!(f, "handle_new_user is attached to the wrong event: {problem}"),
        }
    }
}

impl From<Error> for ErrorReport {
    #[track_caller]
    fn from(error: Error) -> Self {
        let report = ErrorReport::new(error.sqlstate(), error.to_string(), "pg_welltrack");
        match error.hint() {
            Some(hint) => report.set_hint(hint),
            None => report,
        }
    }
}
