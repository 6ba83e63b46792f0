//! `queue`: the dead letters of the development database, for operators: list, show, replay, discard.
//!
//! Promises: everything goes through the database's own functions (`sql/40_providers/92_operators_api.sql`), and what a provider said about somebody
//! is printed only where `--payload` asks for it. Stops at the queue behind the dead letters: the host works that off.

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use console::style;
use postgres::{Client, NoTls, Row};
use serde_json::Value;
use uuid::Uuid;
use welltrack_stack::cluster::Role;
use welltrack_stack::layout::Layout;
use welltrack_stack::{Stack, ui};

/// What to do with the dead letters
#[derive(Subcommand)]
pub(crate) enum Queue {
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
pub(crate) struct Kind {
    /// Only from this provider
    #[arg(long, value_parser = ["garmin", "strava"])]
    source: Option<String>,
    /// Only of this type, such as `dailies` or `activity.create`
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
}

/// Does it, on the development database, which has to run.
pub(crate) fn run(layout: &Layout, command: &Queue) -> Result<()> {
    let stack =
        Stack::running(layout)?.context("the database is not running. What to do: `cargo xtask up`")?;
    let mut client = Client::connect(&stack.url(Role::Postgres), NoTls).map_err(told)?;
    match command {
        Queue::List { kind, limit } => list(&mut client, kind, *limit),
        Queue::Show { id, payload } => show(&mut client, *id, *payload),
        Queue::Replay { id, all: _, kind } => replay(&mut client, *id, kind),
        Queue::Discard { id } => discard(&mut client, *id),
    }
}

fn list(client: &mut Client, kind: &Kind, limit: i32) -> Result<()> {
    let letters = client
        .query(
            "select id::text, source::text, event_type, attempts::text, to_char(received_at, 'YYYY-MM-DD HH24:MI'),
                    coalesce(last_error, '')
             from public.list_dead_letters($1::text::public.wt_provider, $2, $3)",
            &[&kind.source, &kind.event_type, &limit],
        )
        .map_err(told)?;
    if !letters.is_empty() {
        let head = ["id", "source", "type", "attempts", "received", "error"];
        let mut rows = vec![head.map(|title| style(title).bold().to_string()).to_vec()];
        rows.extend(letters.iter().map(line));
        print!("{}", ui::table(&rows));
    }
    let stats: Value = client.query_one("select public.queue_stats('{}')", &[]).map_err(told)?.get(0);
    ui::note(&summary(&stats));
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

/// An error as a table can hold it: without line breaks and control characters, at most 60 columns.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    console::truncate_str(&line, 60, "…").into_owned()
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

fn show(client: &mut Client, id: Uuid, payload: bool) -> Result<()> {
    let mut letter: Value =
        client.query_one("select public.show_dead_letter($1)", &[&id]).map_err(told)?.get(0);
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
    print!("{}", ui::table(&rows));
    match sent {
        Some(sent) if payload => println!("{}", serde_json::to_string_pretty(&sent)?),
        _ => ui::note("--payload shows what the provider sent: somebody's health data"),
    }
    Ok(())
}

fn replay(client: &mut Client, id: Option<Uuid>, kind: &Kind) -> Result<()> {
    let replayed: i32 = client
        .query_one(
            "select public.replay_dead_letters($1, $2::text::public.wt_provider, $3)",
            &[&id, &kind.source, &kind.event_type],
        )
        .map_err(told)?
        .get(0);
    match (replayed, id) {
        (0, Some(id)) => bail!(no_letter(id)),
        (0, None) => ui::note("no dead letter of that kind"),
        (1, _) => ui::note("1 dead letter is back in the queue"),
        (n, _) => ui::note(&format!("{n} dead letters are back in the queue")),
    }
    Ok(())
}

fn discard(client: &mut Client, id: Uuid) -> Result<()> {
    let gone: bool = client.query_one("select public.discard_dead_letter($1)", &[&id]).map_err(told)?.get(0);
    if !gone {
        bail!(no_letter(id));
    }
    ui::note("discarded");
    Ok(())
}

fn no_letter(id: Uuid) -> String {
    format!("{id} is no dead letter. What to do: `cargo xtask queue list` shows their ids")
}

/// The database's own words, with what it would do about it.
fn told(error: postgres::Error) -> anyhow::Error {
    let Some(db) = error.as_db_error() else { return anyhow!(error) };
    match db.hint() {
        Some(hint) => anyhow!("{}. What to do: {hint}", db.message()),
        None if ["42883", "42P01"].contains(&db.code().code()) => {
            anyhow!("the database is older than this checkout. What to do: `cargo xtask up`")
        }
        None => anyhow!("{}", db.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        command: Queue,
    }

    fn parses(line: &str) -> bool {
        Cli::try_parse_from(std::iter::once("queue").chain(line.split(' '))).is_ok()
    }

    #[test]
    fn replay_wants_one_letter_or_all_of_a_kind_and_not_both() {
        const ID: &str = "01a2051f-51b6-724a-8d6c-698746970ea1";
        assert!(parses(&format!("replay {ID}")) && parses("replay --all"));
        assert!(parses("replay --all --source garmin --type dailies"));
        assert!(
            !parses("replay") && !parses("replay --source garmin") && !parses(&format!("replay {ID} --all"))
        );
        assert!(!parses(&format!("replay {ID} --source garmin")) && !parses("replay --all --source fitbit"));
        assert!(parses("list --limit 5") && !parses("list --limit 0") && !parses("discard"));
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
}
