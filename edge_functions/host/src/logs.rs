//! What is written to standard error, and what is not.
//!
//! An event that an operator must know is one line, as text or JSON, with a request's id where there is one. A path or a query is never
//! written, because providers' secrets stand there, nor a body, nor a token. Other crates may only warn: their messages can quote
//! URLs, SQL and values.

use std::io::IsTerminal;
use std::str::FromStr;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::error::StartError;

/// The form of a line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// From which level on the host's own messages are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Level {
    /// What went wrong in the host.
    Error,
    /// And calls that failed.
    Warn,
    /// And starts, stops, reloads.
    Info,
    /// And every call, and what functions print.
    Debug,
}

/// Starts the log; `directives` are added to its filter.
///
/// # Errors
///
/// When there is one already.
pub(crate) fn start(form: Form, level: Level, directives: &[&str]) -> Result<(), StartError> {
    let level = format!("{level:?}").to_lowercase();
    let illegal = |error: ParseError| StartError::Log(error.into());
    let mut filter = EnvFilter::from_str(&format!("warn,welltrack_edge={level},welltrack_api={level}"))
        .map_err(illegal)?;
    // These report every fault of a guest or a client in words of their own; the host reports it in its.
    let quiet = ["wasmtime_wasi_http=error", "wasmtime_wasi=error", "tokio_postgres=error"];
    for directive in quiet.iter().chain(directives) {
        filter = filter.add_directive(directive.parse().map_err(illegal)?);
    }
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    match form {
        Form::Text => lines.try_init(),
        Form::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(StartError::Log)
}
