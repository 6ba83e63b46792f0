//! A host of one's own, for as long as a test lasts.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Nothing here takes long; a test that waits longer than this waits for something that doesn't come.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Keys of a project that exists in these tests only: HS256 tokens of the two roles, valid until 2034.
pub(crate) const JWT_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
pub(crate) const ANON_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0";
pub(crate) const SERVICE_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU";

/// The host's program: the one of the package that these tests are built for.
const PROGRAM: Option<&str> = match option_env!("CARGO_BIN_EXE_welltrack-local") {
    None => option_env!("CARGO_BIN_EXE_welltrack-edge"),
    local => local,
};

/// The guest that misbehaves.
pub(crate) fn guest() -> PathBuf {
    let folder = std::env::var_os("WELLTRACK_TEST_GUESTS")
        .expect("WELLTRACK_TEST_GUESTS names the folder of hostile.wasm");
    Path::new(&folder).join("hostile.wasm")
}

/// What a host is started with.
pub(crate) struct Setup {
    folder: tempfile::TempDir,
    config: Option<String>,
    functions: String,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    cache: PathBuf,
}

impl Setup {
    /// A host whose `functions.toml` is `functions`. Every function it names is the hostile guest, and asks for no token.
    pub(crate) fn new(functions: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("components")).unwrap();
        let setup = Self {
            folder,
            config: None,
            functions: functions.to_owned(),
            variables: [
                ("SUPABASE_URL", "http://project.test"),
                ("SUPABASE_ANON_KEY", ANON_KEY),
                ("SUPABASE_SERVICE_ROLE_KEY", SERVICE_KEY),
                ("SUPABASE_JWT_SECRET", JWT_SECRET),
                // Nobody listens there: most of these tests are about a host without a database.
                ("SUPABASE_DB_URL", "postgresql://authenticator@127.0.0.1:1/none"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            arguments: vec!["--log=json".to_owned()],
            // One for all tests: the guest is compiled once.
            cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("edge-cache"),
        };
        for name in setup.names() {
            setup.put_component(&name);
        }
        setup
    }

    fn names(&self) -> Vec<String> {
        let section =
            |line: &str| Some(line.trim().strip_prefix("[functions.")?.strip_suffix(']')?.to_owned());
        self.functions.lines().filter_map(section).collect()
    }

    /// Makes the guest a function of that name.
    pub(crate) fn put_component(&self, name: &str) {
        fs::copy(guest(), self.component(name)).unwrap();
    }

    /// The file of a function's component.
    pub(crate) fn component(&self, name: &str) -> PathBuf {
        self.folder.path().join("components").join(format!("{name}.wasm"))
    }

    /// Another config.toml than one that asks for no tokens.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }

    /// A variable of the host's environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a variable that others have.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// Another folder for compiled code.
    pub(crate) fn cache(mut self, folder: &Path) -> Self {
        self.cache = folder.to_owned();
        self
    }

    /// One more argument.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    fn listens(&self) -> bool {
        self.arguments.iter().any(|argument| argument.starts_with("--listen"))
    }

    fn command(&self, action: &str) -> Command {
        let folder = self.folder.path();
        let no_tokens =
            || self.names().iter().map(|name| format!("[functions.{name}]\nverify_jwt = false\n")).collect();
        fs::write(folder.join("config.toml"), self.config.clone().unwrap_or_else(no_tokens)).unwrap();
        fs::write(folder.join("functions.toml"), &self.functions).unwrap();
        let mut command = Command::new(PROGRAM.expect("cargo builds it for these tests"));
        command
            .arg(action)
            .arg("--config")
            .arg(folder.join("config.toml"))
            .arg("--components")
            .arg(folder.join("components"))
            .arg("--cache")
            .arg(&self.cache)
            .args(&self.arguments)
            .args((action == "serve" && !self.listens()).then_some("--listen=127.0.0.1:0"))
            .env_clear()
            .envs(self.variables.iter().cloned());
        command
    }

    /// `check`: whether it is content, and what it says.
    pub(crate) fn check(&self) -> (bool, String) {
        let done = self.command("check").output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    }

    /// `queue` with these arguments, in the host's environment: whether it is content, and what it writes to either output.
    pub(crate) fn queue(&self, arguments: &[&str]) -> (bool, String, String) {
        let mut command = Command::new(PROGRAM.expect("cargo builds it for these tests"));
        command.arg("queue").args(arguments).env_clear().envs(self.variables.iter().cloned());
        let done = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (done.status.success(), text(done.stdout), text(done.stderr))
    }

    /// What a start says that fails.
    pub(crate) fn serve_fails(&self) -> String {
        let done = self.command("serve").output().unwrap();
        assert!(!done.status.success());
        String::from_utf8_lossy(&done.stderr).into_owned()
    }

    /// Starts the host, and waits until it serves.
    pub(crate) fn start(self) -> Host {
        let mut command = self.command("serve");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Log::default());
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let reader = thread::spawn({
            let log = Arc::clone(&log);
            move || lines.map_while(Result::ok).for_each(|line| log.push(line))
        });
        let serving = log.wait_for(0, |line| line.contains("\"message\":\"serving\""));
        let serving: serde_json::Value = serde_json::from_str(&serving).unwrap();
        let origin = format!("http://{}", serving["address"].as_str().unwrap());
        Host { child, reader: Some(reader), log, origin, client: client(), setup: self }
    }
}

/// A client with TLS's bare necessities, which keeps no connection: a host that stops must not wait for it.
pub(crate) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(TEST_TIMEOUT).build().unwrap()
}

/// What a host wrote.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Log {
    fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
        self.more.notify_all();
    }

    fn wait_for(&self, after: usize, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + TEST_TIMEOUT;
        let mut lines = self.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().skip(after).find(|line| wanted(line)) {
                return line.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the line doesn't come; there are:\n{}", lines.join("\n"));
            lines = self.more.wait_timeout(lines, left).unwrap().0;
        }
    }
}

/// A running host. Killed when dropped.
pub(crate) struct Host {
    child: Child,
    reader: Option<thread::JoinHandle<()>>,
    log: Arc<Log>,
    origin: String,
    client: Client,
    /// What it was started with.
    pub(crate) setup: Setup,
}

impl Host {
    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> &str {
        self.origin.trim_start_matches("http://")
    }

    /// A request for a path.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.origin))
    }

    /// The answer to a GET of a function: `hostile/hello`.
    pub(crate) async fn get(&self, function: &str) -> Response {
        self.request(Method::GET, &format!("/functions/v1/{function}")).send().await.unwrap()
    }

    /// The answer to a POST to a function.
    pub(crate) async fn post(&self, function: &str, body: impl Into<reqwest::Body>) -> Response {
        self.request(Method::POST, &format!("/functions/v1/{function}")).body(body).send().await.unwrap()
    }

    /// Fails unless the host still serves.
    pub(crate) async fn serves_on(&self, function: &str) {
        let answer = self.get(&format!("{function}/hello")).await;
        assert_eq!(
            (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
            (200, "{\"hello\":\"world\"}")
        );
    }

    /// The first line of the log for which that is true, once it is there.
    pub(crate) fn logged(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.log.wait_for(0, wanted)
    }

    /// The same among the lines after the first `seen`.
    pub(crate) fn logged_after(&self, seen: usize, wanted: impl Fn(&str) -> bool) -> String {
        self.log.wait_for(seen, wanted)
    }

    /// All of the log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lines.lock().unwrap().clone()
    }

    /// The value of a line of `/metrics`: `welltrack_edge_requests_total{function="hostile",status="200"}`.
    pub(crate) async fn figure(&self, name: &str) -> Option<f64> {
        let text = self.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&self) {
        let process = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a function is answered that calls `url`, with a bearer token or without.
pub(crate) async fn fetch(
    host: &Host,
    function: &str,
    url: &str,
    authorization: Option<&str>,
) -> (u16, String) {
    let mut request =
        host.request(Method::POST, &format!("/functions/v1/{function}/fetch")).header("x-url", url);
    if let Some(token) = authorization {
        request = request.header("x-authorization", format!("Bearer {token}"));
    }
    let answer = request.header("x-request-id", "the-id-of-this-test").send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// A server that answers every request with 200 and counts nothing.
pub(crate) async fn somebody() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = client.read(&mut head).await;
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsomebody").await;
            });
        }
    });
    address
}

/// A database of one's own.
pub(crate) struct Database {
    admin: String,
    name: String,
}

impl Database {
    /// Makes one, with nothing but `sql` in it.
    pub(crate) async fn with(sql: &str) -> Self {
        Self::of("template1", sql).await
    }

    /// Makes one with the project's schema, and `sql` in it.
    pub(crate) async fn migrated(sql: &str) -> Self {
        let template = std::env::var("WELLTRACK_TEST_TEMPLATE")
            .expect("WELLTRACK_TEST_TEMPLATE names the database that the migrations made");
        Self::of(&template, sql).await
    }

    async fn of(template: &str, sql: &str) -> Self {
        let admin =
            std::env::var("WELLTRACK_TEST_ADMIN_URL").expect("WELLTRACK_TEST_ADMIN_URL names a cluster");
        let name = format!("edge_{}", uuid::Uuid::new_v4().simple());
        let database = Self { admin, name };
        connect(&database.admin)
            .await
            .batch_execute(&format!("create database {} template {template}", database.name))
            .await
            .unwrap();
        database.run(sql).await;
        database
    }

    /// Runs statements as the administrator.
    pub(crate) async fn run(&self, sql: &str) {
        self.admin().await.batch_execute(sql).await.unwrap();
    }

    /// A connection of the administrator.
    pub(crate) async fn admin(&self) -> tokio_postgres::Client {
        connect(&self.at(&self.admin)).await
    }

    /// Where a role finds it.
    pub(crate) fn url(&self, role: &str) -> String {
        let (_, place) = self.admin.split_once('@').expect("an admin URL with a user");
        self.at(&format!("postgresql://{role}:postgres@{place}"))
    }

    fn at(&self, url: &str) -> String {
        let (server, _) = url.rsplit_once('/').expect("an admin URL with a database");
        format!("{server}/{}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // A runtime can't wait inside another one.
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                connect(&admin).await.batch_execute(&format!("drop database {name} with (force)")).await
            })
        });
        let _ = dropped.join();
    }
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
