//! `welltrack-edge queue`: what an operator does about dead letters, on any database.

use crate::support::{Database, Setup};

const DAILIES: &str = "01a2051f-51b6-724a-8d6c-698746970ea1";
const ACTIVITY: &str = "01a2051f-51b6-724a-8d6c-698746970ea2";
const ABSENT: &str = "01a2051f-51b6-724a-8d6c-698746970ea3";

/// Two dead letters, one of each provider.
const LETTERS: &str = "
    insert into public.wt_webhook_events
           (id, source, event_type, provider_user_id, payload, idempotency_key, status, attempts, last_error, received_at)
    values ('01a2051f-51b6-724a-8d6c-698746970ea1', 'garmin', 'dailies', 'g-1', '{\"dailies\": [\"planted\"]}', '\\x01',
            'dead_letter', 5, E'invalid_record: two\nlines', '2026-03-01 12:00:00Z'),
           ('01a2051f-51b6-724a-8d6c-698746970ea2', 'strava', 'activity.create', 's-1', '{}', '\\x02',
            'dead_letter', 5, 'activity: status 500', '2026-03-02 12:00:00Z')";

/// An operator whose environment names the database, as the host's does.
fn operator(database: &Database) -> Setup {
    Setup::new("").variable("SUPABASE_DB_URL", &database.url("authenticator"))
}

#[tokio::test]
async fn queue_list_shows_dead_letters_by_kind_and_counts_all() {
    let database = Database::migrated(LETTERS).await;
    let operator = operator(&database);
    let (content, table, notes) = operator.queue(&["list"]);
    assert!(content, "{notes}");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(
        lines[0].contains("id") && lines[0].contains("attempts") && lines[0].contains("error"),
        "{table}"
    );
    assert!(lines[1].contains(ACTIVITY) && lines[1].contains("activity: status 500"), "{table}");
    assert!(lines[2].contains(DAILIES) && lines[2].contains("invalid_record: two lines"), "{table}");
    assert!(!table.contains("planted"), "{table}");
    assert!(notes.contains("2 dead letters; 0 pending"), "{notes}");

    let (_, table, _) = operator.queue(&["list", "--source", "garmin", "--type", "dailies"]);
    assert!(table.contains(DAILIES) && !table.contains(ACTIVITY), "{table}");
    let (_, table, notes) = operator.queue(&["list", "--type", "sleeps"]);
    assert!(table.is_empty() && notes.contains("2 dead letters"), "{table}{notes}");
}

#[tokio::test]
async fn queue_show_keeps_the_payload_back_until_it_is_asked_for() {
    let database = Database::migrated(LETTERS).await;
    let operator = operator(&database);
    let (content, text, notes) = operator.queue(&["show", DAILIES]);
    assert!(content && text.contains("invalid_record") && notes.contains("--payload"), "{text}{notes}");
    assert!(!text.contains("planted"), "{text}");
    let (_, text, _) = operator.queue(&["show", DAILIES, "--payload"]);
    assert!(text.contains("planted"), "{text}");
    let (content, _, notes) = operator.queue(&["show", ABSENT]);
    assert!(!content && notes.contains("no such dead letter"), "{notes}");
}

#[tokio::test]
async fn queue_replay_and_discard_take_a_dead_letter_once() {
    let database = Database::migrated(LETTERS).await;
    let operator = operator(&database);
    let (content, _, notes) = operator.queue(&["replay", DAILIES]);
    assert!(content && notes.contains("1 dead letter is back in the queue"), "{notes}");
    let (content, _, notes) = operator.queue(&["replay", DAILIES]);
    assert!(!content && notes.contains(&format!("{DAILIES} is no dead letter")), "{notes}");
    let (content, _, notes) = operator.queue(&["replay", "--all", "--source", "garmin"]);
    assert!(content && notes.contains("no dead letter of that kind"), "{notes}");
    let (content, _, notes) = operator.queue(&["discard", ACTIVITY]);
    assert!(content && notes.contains("discarded"), "{notes}");
    assert!(!operator.queue(&["discard", ACTIVITY]).0);
    let (_, _, notes) = operator.queue(&["list"]);
    assert!(notes.contains("0 dead letters; 1 pending"), "{notes}");
}

#[tokio::test]
async fn queue_takes_the_database_from_the_command_line_first() {
    let database = Database::migrated(LETTERS).await;
    // As another user, too: whoever may become the service role.
    for role in ["authenticator", "postgres"] {
        let url = database.url(role);
        let elsewhere = Setup::new("").queue(&["list", "--db-url", &url]);
        assert!(elsewhere.0 && elsewhere.1.contains(DAILIES), "{role}: {elsewhere:?}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("SUPABASE_DB_URL={}\n", database.url("authenticator"))).unwrap();
    let file = file.path().display().to_string();
    let from_file = Setup::new("").without("SUPABASE_DB_URL").queue(&["list", "--env-file", &file]);
    assert!(from_file.0 && from_file.1.contains(DAILIES), "{from_file:?}");
}

#[tokio::test]
async fn queue_says_what_is_missing_and_never_the_url() {
    let (content, _, notes) = Setup::new("").without("SUPABASE_DB_URL").queue(&["list"]);
    assert!(!content && notes.contains("set SUPABASE_DB_URL, or name one with --db-url"), "{notes}");
    let empty = Database::with("grant usage on schema public to service_role").await;
    let (content, _, notes) = operator(&empty).queue(&["list"]);
    assert!(!content && notes.contains("apply the migrations"), "{notes}");
    for url in ["postgresql://u:planted@127.0.0.1:1/none", "postgresql://u:planted@127.0.0.1:port/none"] {
        let (content, _, notes) = Setup::new("").queue(&["list", "--db-url", url]);
        assert!(!content && notes.contains("database") && !notes.contains("planted"), "{notes}");
    }
    let (content, _, notes) = Setup::new("").queue(&["list", "--db-url", &empty.url("supabase_auth_admin")]);
    assert!(!content && notes.contains("can't become service_role"), "{notes}");
}
