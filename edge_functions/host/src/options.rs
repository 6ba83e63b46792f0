//! The options of the command line that every host has.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::logs;

/// Where everything is.
#[derive(Args)]
pub struct Options {
    /// Supabase's settings; `functions.toml` is looked for beside it.
    #[arg(long, default_value = "supabase/config.toml")]
    pub(crate) config: PathBuf,
    /// The folder of the components, `<name>.wasm` each.
    #[arg(long)]
    pub(crate) components: PathBuf,
    /// A file of NAME=value lines; the environment goes before it.
    #[arg(long)]
    pub(crate) env_file: Option<PathBuf>,
    /// Where compiled components are kept; without it they are compiled at every start.
    #[arg(long, env = "WELLTRACK_EDGE_CACHE")]
    pub(crate) cache: Option<PathBuf>,
    /// The form of the log.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) log: logs::Form,
    /// How much is logged. `debug` shows what functions print, which may be what people measured.
    #[arg(long, value_enum, default_value = "info")]
    pub(crate) log_level: logs::Level,
}

/// How to serve.
#[derive(Args)]
pub struct ServeOptions {
    #[command(flatten)]
    pub(crate) common: Options,
    /// Where to listen; port 0 takes a free one, which the log tells.
    #[arg(long, default_value = "127.0.0.1:54321")]
    pub(crate) listen: SocketAddr,
    /// Seconds that running calls have to finish when the host is told to stop.
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub(crate) grace: u64,
}
