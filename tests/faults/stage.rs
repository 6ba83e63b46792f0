//! A database of its own, the providers' stand-in, hosts, and people who are connected.
//!
//! Promises: connections to the database are opened anew and tried again, for the server may have died since. What is
//! done to the queue here ([`Stage::hurry`]) only moves times that have been set by the product, so that a test need
//! not wait for hours.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Client, Config, NoTls};
use reqwest_0_12::Url;
use reqwest_0_12::redirect::Policy;
use serde_json::{Value, json};
use welltrack_tests::simulator::{Settings, Simulator};
use welltrack_tests::{Person, TestDb};

use crate::host::{Host, HostSettings};
use crate::server::wait_for;
use crate::tokens;

/// Where the browser goes after consent.
pub(crate) const APP: &str = "http://app.example/connected";

/// Everything but the people.
pub(crate) struct Stage {
    pub(crate) hosts: Vec<Host>,
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) db: TestDb,
    settings: HostSettings,
    folder: PathBuf,
}

/// The queue's events by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Due, or waiting for their next attempt.
    pub(crate) waiting: i64,
    /// Waiting for their person.
    pub(crate) parked: i64,
    /// In a worker's hands.
    pub(crate) processing: i64,
    pub(crate) processed: i64,
    pub(crate) dead: i64,
}

impl Stage {
    /// A fresh database and so many hosts.
    pub(crate) fn new(what: &str, seed: u64, hosts: usize) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("welltrack-faults-{}-{what}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for logs");
        let db = TestDb::new();
        let simulator = Simulator::start(Settings { seed, ..Settings::default() }).expect("a free port");
        let simulator = Arc::new(simulator);
        let mut environment: Vec<(String, String)> =
            simulator.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        environment.extend([
            ("WELLTRACK_TOKEN_KEYS".into(), "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=".into()),
            ("PROVIDER_REDIRECT_URLS".into(), APP.into()),
        ]);
        let settings = HostSettings {
            database: url(&db.config_as("authenticator")),
            provider: simulator.base_url.trim_start_matches("http://").to_owned(),
            environment,
            config: copy_settings(&folder),
            folder: folder.clone(),
        };
        let mut stage = Self { hosts: Vec::new(), simulator, db, settings, folder };
        for _ in 0..hosts {
            stage.add_host();
        }
        stage
    }

    /// From now on new hosts call `process-events` every minute besides.
    pub(crate) fn schedule_every_minute(&self) {
        let file = self.settings.config.with_file_name("functions.toml");
        let text = std::fs::read_to_string(&file).expect("the settings can be read");
        let unscheduled: Vec<&str> =
            text.lines().filter(|line| !line.trim_start().starts_with("schedule")).collect();
        let table = "[functions.process-events]";
        let scheduled = unscheduled.join("\n").replace(table, &format!("{table}\nschedule = \"* * * * *\""));
        assert!(scheduled.contains("schedule ="), "{} has no {table}", file.display());
        std::fs::write(&file, scheduled + "\n").expect("the settings can be written");
    }

    /// From now on new hosts have another value of that setting.
    pub(crate) fn tell_new_hosts(&mut self, name: &str, value: &str) {
        self.settings.environment.retain(|(known, _)| known != name);
        self.settings.environment.push((name.to_owned(), value.to_owned()));
    }

    /// One more host on the same database.
    pub(crate) fn add_host(&mut self) {
        let host = Host::start(&self.settings, self.hosts.len());
        self.hosts.push(host);
    }

    /// A superuser's connection, as soon as the server takes one.
    pub(crate) fn admin(&self) -> Client {
        connect(&self.db.config_as("supabase_admin"))
    }

    /// Signs somebody up whose days are in UTC.
    pub(crate) fn sign_up(&self, name: &str) -> Person {
        let person = self.db.sign_up(&format!("{name}@faults.example"));
        self.admin()
            .execute("update public.wt_users set timezone = 'UTC' where id = $1", &[&person.user_id])
            .expect("a time zone can be set");
        person
    }

    /// Connects somebody to Garmin as if the consent had been given before: summaries need no token.
    pub(crate) fn connect_garmin(&self, person: Person, garmin_user: &str) {
        self.admin()
            .execute(
                "insert into public.wt_health_connections (user_id, profile_id, provider, provider_user_id)
                 values ($1, $2, 'garmin', $3)",
                &[&person.user_id, &person.profile_id, &garmin_user],
            )
            .expect("a connection can be made");
    }

    /// Connects somebody to Strava the way a browser does.
    pub(crate) fn connect_strava(&self, person: Person, athlete: u64) {
        let origin = self.hosts[0].origin();
        let ask = async {
            let client = reqwest_0_12::Client::builder().redirect(Policy::none()).no_proxy().build()?;
            let asked: Value = client
                .post(format!("{origin}/functions/v1/provider-connect/authorize"))
                .bearer_auth(tokens::person(person.user_id))
                .header("apikey", tokens::anon())
                .json(&json!({"provider": "strava", "redirect_to": APP}))
                .send()
                .await?
                .error_for_status()?
                .json()
                .await?;
            let page = format!("{}&as={athlete}", asked["url"].as_str().unwrap_or_default());
            let consent = client.get(page).send().await?;
            let callback = consent.headers()["location"].to_str().unwrap_or_default().to_owned();
            let back = client.get(callback).send().await?.error_for_status()?;
            let back = back.headers()["location"].to_str().unwrap_or_default();
            let opened: HashMap<_, _> =
                Url::parse(back).expect("an address").query_pairs().into_owned().collect();
            let completed = client
                .post(format!("{origin}/functions/v1/provider-connect/complete"))
                .bearer_auth(tokens::person(person.user_id))
                .json(&opened);
            completed.send().await?.error_for_status()?.json::<Value>().await
        };
        let completed = self.simulator.handle().block_on(ask).expect("Strava can be connected");
        assert_eq!(completed["status"], "connected");
    }

    /// Lets nothing wait any longer: attempts that the product set for later are due now, and where `leases`, what a
    /// worker held is free as if its lease had run out.
    pub(crate) fn hurry(&self, leases: bool) {
        let mut admin = self.admin();
        let hurried = admin.batch_execute(
            "update public.wt_webhook_events set next_retry_at = now()
             where status = 'pending' and next_retry_at > now() and next_retry_at < 'infinity';
             notify welltrack_events, 'hurry'",
        );
        let freed = leases.then(|| {
            admin.batch_execute(
                "update public.wt_webhook_events set locked_until = now() where status = 'processing'",
            )
        });
        // The server may die at any time here, too; then the next call does it.
        drop((hurried, freed));
    }

    /// Counts the queue.
    pub(crate) fn queue(&self) -> Queue {
        let row = self
            .admin()
            .query_one(
                "select count(*) filter (where status = 'pending' and next_retry_at < 'infinity'),
                        count(*) filter (where status = 'pending' and next_retry_at = 'infinity'),
                        count(*) filter (where status = 'processing'),
                        count(*) filter (where status = 'processed'),
                        count(*) filter (where status = 'dead_letter')
                 from public.wt_webhook_events",
                &[],
            )
            .expect("the queue can be counted");
        Queue {
            waiting: row.get(0),
            parked: row.get(1),
            processing: row.get(2),
            processed: row.get(3),
            dead: row.get(4),
        }
    }

    /// What is wrong with events that were not processed, for a message.
    pub(crate) fn troubled(&self) -> String {
        let sql = "
            select concat_ws(' ', count(*), source, event_type, status, 'attempts', attempts, last_error)
            from public.wt_webhook_events where status <> 'processed'
            group by source, event_type, status, attempts, last_error order by count(*) desc limit 20";
        let rows = self.admin().query(sql, &[]).expect("the queue can be read");
        rows.into_iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
    }

    /// Waits until the workers have nothing left to do.
    pub(crate) fn drain(&self) -> Queue {
        let mut queue = Queue::default();
        let mut looks = 0;
        wait_for("the queue to be empty", || {
            queue = self.queue();
            looks += 1;
            // Leases of the dead run out by themselves; here once in a while.
            self.hurry(looks % 100 == 0);
            queue.waiting + queue.processing == 0
        });
        queue
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            host.kill();
        }
        if std::thread::panicking() {
            eprintln!("the hosts' logs are in {}", self.folder.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A connection, as soon as the server takes one.
pub(crate) fn connect(config: &Config) -> Client {
    let mut client = None;
    wait_for("the database to answer", || {
        client = config.connect(NoTls).ok();
        client.is_some()
    });
    client.expect("waited for")
}

/// The project's settings of the functions, for these hosts alone; gives where `config.toml` is.
fn copy_settings(folder: &Path) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../supabase");
    for name in ["config.toml", "functions.toml"] {
        std::fs::copy(project.join(name), folder.join(name)).expect("the settings can be copied");
    }
    folder.join("config.toml")
}

fn url(config: &Config) -> String {
    let host = match &config.get_hosts()[0] {
        postgres::config::Host::Tcp(host) => host.clone(),
        postgres::config::Host::Unix(path) => path.display().to_string(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let (user, database) = (config.get_user().unwrap_or_default(), config.get_dbname().unwrap_or_default());
    format!("postgresql://{user}:postgres@{host}:{port}/{database}?sslmode=disable")
}
