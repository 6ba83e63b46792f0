//! `queue`: the dead letters of a database, for operators: list, show, replay, discard.
//!
//! Everything goes through the database's own functions, as the service role. What a provider sent about somebody is printed only
//! where `--payload` asks for it.

use std::future::Future;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use console::style;
use serde_json::Value;
use tokio_postgres::{Client, Row};
use uuid::Uuid;
use welltrack_api::{Address, AddressError};
use welltrack_core::providers::Provider;

use crate::error::SettingsError;
use crate::settings;

/// The variable that names the database.
const DB_URL: &str = "SUPABASE_DB_URL";
/// The widest error in the table, in columns.
const ERROR_WIDTH: usize = 60;

/// Which database, and what to do with its dead letters.
#[derive(Args)]
pub struct QueueOptions {
    /// The database, by default SUPABASE_DB_URL. `sslmode` and `sslrootcert` mean what they mean for the host.
    #[arg(long, value_name = "URL", global = true)]
    db_url: Option<String>,
    /// A file of NAME=value lines, where SUPABASE_DB_URL is looked for behind the environment.
    #[arg(long, value_name = "FILE", global = true)]
    env_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the dead letters, the latest first, and say how long the queue is
    List {
        #[command(flatten)]
        kind: Kind,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=10_000))]
        limit: i32,
    },
    /// Show one dead letter
    Show {
        id: Uuid,
        /// Also what the provider sent: somebody's health data
        #[arg(long)]
        payload: bool,
    },
    /// Put dead letters back into the queue, with all their attempts
    Replay {
        /// This one
        #[arg(required_unless_present = "all", conflicts_with_all = ["all", "source", "event_type"])]
        id: Option<Uuid>,
        /// All of them, or all of a kind
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        kind: Kind,
    },
    /// Remove a dead letter for good
    Discard { id: Uuid },
}

/// Only those of a kind.
#[derive(Args)]
struct Kind {
    /// Only from this provider
    #[arg(long, value_parser = PossibleValuesParser::new(Provider::ALL.map(Provider::label)))]
    source: Option<String>,
    /// Only of this type, such as `dailies` or `activity.create`
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
}

/// Why `queue` could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The env file can't be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No database is named.
    #[error(
        "no database: set SUPABASE_DB_URL, or name one with --db-url postgresql://user:password@host:port/database"
    )]
    NoDatabase,
    /// The URL of the database can't be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The database can't be reached, refuses the user, or is another one than it should be.
    #[error("can't connect to the database")]
    Connect(#[source] tokio_postgres::Error),
    /// The user can't become the service role.
    #[error(
        "the user of the database URL can't become service_role: use the authenticator's or the postgres user's URL"
    )]
    Role(#[source] tokio_postgres::Error),
    /// The functions of the queue are not there.
    #[error("the database has no queue, or an older one: apply the migrations (`supabase db push`)")]
    Outdated,
    /// The database refused, with its own words.
    #[error("{message}{}", hint.as_ref().map(|hint| format!(". What to do: {hint}")).unwrap_or_default())]
    Refused {
        /// What it says.
        message: String,
        /// What it would do about it.
        hint: Option<String>,
    },
    /// The connection broke.
    #[error("the connection to the database broke")]
    Broken(#[source] tokio_postgres::Error),
    /// No dead letter has this id.
    #[error("{0} is no dead letter. What to do: `queue list` shows their ids")]
    NoLetter(Uuid),
    /// The program can't run.
    #[error("can't start")]
    Runtime(#[from] std::io::Error),
}

impl From<tokio_postgres::Error> for QueueError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            None => Self::Broken(error),
            Some(refused)
                if refused.hint().is_none()
                    && ["3F000", "42704", "42883", "42P01"].contains(&refused.code().code()) =>
            {
                Self::Outdated
            }
            Some(refused) => Self::Refused {
                message: refused.message().to_owned(),
                hint: refused.hint().map(str::to_owned),
            },
        }
    }
}

/// Does what `options` say: `queue` of the command line.
///
/// # Errors
///
/// [`QueueError`]: no database or none that answers, or a dead letter that is not there.
pub fn queue(options: &QueueOptions) -> Result<(), QueueError> {
    let address = Address::parse(&database_url(options)?)?;
    crate::serve::runtime()?.block_on(async {
        let (client, connection) = address.connect().await.map_err(QueueError::Connect)?;
        let work = async {
            client.batch_execute("set role service_role").await.map_err(QueueError::Role)?;
            run(&client, &options.command).await
        };
        // The connection ends with the client, and the client's statements need it to be polled.
        driven(work, connection).await
    })
}

async fn driven<T>(work: impl Future<Output = T>, connection: impl Future) -> T {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        _ = connection => {}
    }
    // The connection broke: the statement under way says so.
    work.await
}

fn database_url(options: &QueueOptions) -> Result<String, QueueError> {
    if let Some(url) = &options.db_url {
        return Ok(url.clone());
    }
    let mut variables = settings::variables(options.env_file.as_deref())?;
    variables.remove(DB_URL).filter(|url| !url.is_empty()).ok_or(QueueError::NoDatabase)
}

async fn run(client: &Client, command: &Command) -> Result<(), QueueError> {
    match command {
        Command::List { kind, limit } => list(client, kind, *limit).await,
        Command::Show { id, payload } => show(client, *id, *payload).await,
        Command::Replay { id, all: _, kind } => replay(client, *id, kind).await,
        Command::Discard { id } => discard(client, *id).await,
    }
}

async fn list(client: &Client, kind: &Kind, limit: i32) -> Result<(), QueueError> {
    let letters = client
        .query(
            "select id::text, source::text, event_type, attempts::text, to_char(received_at, 'YYYY-MM-DD HH24:MI'),
                    coalesce(last_error, '')
             from public.list_dead_letters($1::text::public.wt_provider, $2, $3)",
            &[&kind.source, &kind.event_type, &limit],
        )
        .await?;
    if !letters.is_empty() {
        let head = ["id", "source", "type", "attempts", "received", "error"];
        let mut rows = vec![head.map(|title| style(title).bold().to_string()).to_vec()];
        rows.extend(letters.iter().map(line));
        print!("{}", table(&rows));
    }
    let stats: Value = client.query_one("select public.queue_stats('{}')", &[]).await?.get(0);
    note(&summary(&stats));
    Ok(())
}

fn line(letter: &Row) -> Vec<String> {
    let cell = |column: usize| letter.get::<_, String>(column);
    vec![
        style(cell(0)).cyan().to_string(),
        cell(1),
        cell(2),
        cell(3),
        cell(4),
        style(one_line(&cell(5))).red().to_string(),
    ]
}

/// An error as a table can hold it: without line breaks and control characters, and no wider than its column.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    console::truncate_str(&line, ERROR_WIDTH, "…").into_owned()
}

fn summary(stats: &Value) -> String {
    let count = |key: &str| stats[key].as_u64().unwrap_or(0);
    let oldest = match stats["oldest_pending_seconds"].as_f64().unwrap_or(0.0) {
        seconds if seconds >= 1.0 => format!(", the first for {seconds:.0} s"),
        _ => String::new(),
    };
    format!(
        "{} dead letters; {} pending{oldest} ({} after a failure), {} in work, {} parked, {} processed",
        count("dead_letter"),
        count("pending"),
        count("retries"),
        count("processing"),
        count("parked"),
        count("processed"),
    )
}

async fn show(client: &Client, id: Uuid, payload: bool) -> Result<(), QueueError> {
    let mut letter: Value = client.query_one("select public.show_dead_letter($1)", &[&id]).await?.get(0);
    let sent = letter.as_object_mut().and_then(|letter| letter.remove("payload"));
    let rows: Vec<Vec<String>> = letter
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            vec![style(key.replace('_', " ")).dim().to_string(), text]
        })
        .collect();
    print!("{}", table(&rows));
    match sent {
        Some(sent) if payload => println!("{sent:#}"),
        _ => note("--payload shows what the provider sent: somebody's health data"),
    }
    Ok(())
}

async fn replay(client: &Client, id: Option<Uuid>, kind: &Kind) -> Result<(), QueueError> {
    let replayed: i32 = client
        .query_one(
            "select public.replay_dead_letters($1, $2::text::public.wt_provider, $3)",
            &[&id, &kind.source, &kind.event_type],
        )
        .await?
        .get(0);
    match (replayed, id) {
        (0, Some(id)) => return Err(QueueError::NoLetter(id)),
        (0, None) => note("no dead letter of that kind"),
        (1, _) => note("1 dead letter is back in the queue"),
        (n, _) => note(&format!("{n} dead letters are back in the queue")),
    }
    Ok(())
}

async fn discard(client: &Client, id: Uuid) -> Result<(), QueueError> {
    let gone: bool = client.query_one("select public.discard_dead_letter($1)", &[&id]).await?.get(0);
    if !gone {
        return Err(QueueError::NoLetter(id));
    }
    note("discarded");
    Ok(())
}

/// One line on the side: standard output stays usable in a pipe.
fn note(text: &str) {
    eprintln!("{} {text}", style("·").dim().for_stderr());
}

/// Rows as columns, each as wide as its widest cell; colours don't count as width.
fn table(rows: &[Vec<String>]) -> String {
    let width = |cell: &String| console::measure_text_width(cell);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(width).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, column) in row.iter().zip(&widths) {
            line.push(' ');
            line.push_str(cell);
            line.push_str(&" ".repeat(column - width(cell) + 1));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: QueueOptions,
    }

    fn parsed(line: &str) -> Option<QueueOptions> {
        let cli = Cli::try_parse_from(std::iter::once("queue").chain(line.split(' ')));
        cli.ok().map(|cli| cli.options)
    }

    #[test]
    fn replay_wants_one_letter_or_all_of_a_kind_and_not_both() {
        const ID: &str = "01a2051f-51b6-724a-8d6c-698746970ea1";
        let parses = |line: &str| parsed(line).is_some();
        assert!(parses(&format!("replay {ID}")) && parses("replay --all"));
        assert!(parses("replay --all --source garmin --type dailies"));
        assert!(
            !parses("replay") && !parses("replay --source garmin") && !parses(&format!("replay {ID} --all"))
        );
        assert!(!parses(&format!("replay {ID} --source garmin")) && !parses("replay --all --source fitbit"));
        assert!(parses("list --limit 5") && !parses("list --limit 0") && !parses("discard"));
    }

    #[test]
    fn a_database_that_is_named_goes_before_the_environment() {
        for line in ["--db-url postgresql://a list", "list --db-url postgresql://a"] {
            assert_eq!(database_url(&parsed(line).expect("parses")).expect("named"), "postgresql://a");
        }
    }

    #[test]
    fn an_error_fills_one_line_and_no_more() {
        assert_eq!(one_line("two\nlines\u{1b}[31m"), "two lines [31m");
        let long = one_line(&"ä".repeat(100));
        assert_eq!((long.chars().count(), long.ends_with('…')), (60, true));
        assert_eq!(one_line(&"x".repeat(60)), "x".repeat(60));
    }

    #[test]
    fn the_summary_says_how_long_the_first_has_been_due_if_it_has() {
        let stats = json!({"dead_letter": 2, "pending": 3, "processing": 1, "parked": 4, "processed": 5, "retries": 1,
                           "oldest_pending_seconds": 12.4});
        let text = "2 dead letters; 3 pending, the first for 12 s (1 after a failure), 1 in work, 4 parked, 5 processed";
        assert_eq!(summary(&stats), text);
        assert!(summary(&json!({})).starts_with("0 dead letters; 0 pending ("));
    }

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        let rows = vec![vec!["a".into(), "bb".into()], vec!["ccc".into(), "d".into()]];
        assert_eq!(table(&rows), "  a    bb\n  ccc  d\n");
    }
}
