//! Putting the host together, and taking it apart.
//!
//! A start that can't work stops with one clear message. A stop finishes what runs, within the time it is given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use welltrack_api::Address;
use welltrack_api::jwt::{self, JwtSettings, Role, Verifier};
use welltrack_api::rpc;

use crate::error::{Chain, StartError};
use crate::functions::{Functions, components_in};
use crate::metrics::Metrics;
use crate::routes::{self, Host};
use crate::runtime::{Common, Egress, Runtime};
use crate::server::Server;
use crate::settings::{Environment, Settings};
use crate::stand_ins::{Project, StandIns};
use crate::{Options, ServeOptions, logs, triggers};

/// All that was read and loaded, before anything runs.
struct Loaded {
    settings: Settings,
    environment: Environment,
    functions: Arc<Functions>,
    egress: Arc<Egress>,
    verifier: Arc<Verifier>,
    rpc: rpc::Pool,
    database: Address,
    metrics: Arc<Metrics>,
    alive: TaskTracker,
}

/// Reads the settings and loads every component, and starts nothing: `check` of the command line.
///
/// # Errors
///
/// What would stop a start, in one message.
pub fn check(options: &Options, stand_ins: Option<&dyn StandIns>) -> Result<(), StartError> {
    runtime()?.block_on(async {
        start_log(options, stand_ins)?;
        let loaded = load(options, stand_ins, SocketAddr::from(([127, 0, 0, 1], 54321))).await?;
        println!("{} functions, all well", loaded.functions.iter().count());
        Ok(())
    })
}

/// Serves until SIGTERM or SIGINT, then finishes what runs: `serve` of the command line.
///
/// # Errors
///
/// What stops the start, in one message: settings, components, the address, the service key, a stand-in.
pub fn serve(options: &ServeOptions, stand_ins: Option<&dyn StandIns>) -> Result<(), StartError> {
    let began = Instant::now();
    runtime()?.block_on(async {
        start_log(&options.common, stand_ins)?;
        if stand_ins.is_some() && !options.listen.ip().is_loopback() {
            return Err(StartError::NotThisMachine(options.listen));
        }
        raise_open_files();
        // Who comes before all is loaded waits in the listener's queue.
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|error| StartError::Listen(options.listen, error))?;
        let address = listener.local_addr()?;
        let loaded = load(&options.common, stand_ins, address).await?;
        let beside = match stand_ins {
            Some(stand_ins) => {
                stand_ins.start(loaded.project(&options.common)).await.map_err(StartError::StandIns)?
            }
            None => Router::new(),
        };
        let names: Vec<_> = loaded.functions.iter().map(|function| function.name()).collect();
        tracing::info!(
            %address,
            functions = names.join(","),
            local = stand_ins.is_some(),
            ms = began.elapsed().as_secs_f64() * 1e3,
            "serving"
        );
        run(loaded, beside, listener, Duration::from_secs(options.grace)).await
    })
}

pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    // reqwest is built without a provider of its own; this is the first thing that runs.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

fn start_log(options: &Options, stand_ins: Option<&dyn StandIns>) -> Result<(), StartError> {
    logs::start(options.log, options.log_level, stand_ins.map_or(&[], StandIns::log_directives))
}

/// Reads and loads everything for a host at `address`.
async fn load(
    options: &Options,
    stand_ins: Option<&dyn StandIns>,
    address: SocketAddr,
) -> Result<Loaded, StartError> {
    let components = components_in(&options.components)?;
    let settings = Settings::read(&options.config, &components)?;
    let defaults = stand_ins.map(|local| local.defaults(address)).unwrap_or_default();
    let environment = Environment::read(options.env_file.as_deref(), &defaults)?;
    let verifier = Arc::new(Verifier::new(jwt_settings(&environment))?);
    let connections = settings.host.database_connections.to_usize();
    let shared = settings.host.shared_commits.iter().map(|name| name.0.clone()).collect();
    let database = Address::parse(environment.database.expose())?;
    let rpc = rpc::Pool::connect(environment.database.expose(), connections).await?.sharing(shared);
    let egress = Arc::new(Egress::new(
        &environment.url,
        Arc::clone(&verifier),
        rpc.clone(),
        stand_ins.is_some(),
        stand_ins.map(|local| local.allowed_hosts().to_vec()).unwrap_or_default(),
    )?);
    let metrics = Arc::new(Metrics::default());
    let alive = TaskTracker::new();
    let memory = settings.enabled().map(|(_, function)| function.limits.memory()).max().unwrap_or(1 << 20);
    let instances = settings.host.max_instances.to_u32();
    let runtime = Arc::new(Runtime::new(options.cache.as_deref(), instances, memory)?);
    let common = Common {
        instances: Arc::new(Semaphore::new(settings.host.max_instances.to_usize())),
        egress: Arc::clone(&egress),
        alive: alive.clone(),
    };
    let functions = Functions::load(&options.components, runtime, &settings, &environment, &metrics, &common)
        .map(Arc::new)?;
    Ok(Loaded { settings, environment, functions, egress, verifier, rpc, database, metrics, alive })
}

fn jwt_settings(environment: &Environment) -> JwtSettings {
    JwtSettings {
        hs256_secret: environment.jwt_secret.clone(),
        jwks: environment.jwks.clone(),
        audience: jwt::AUDIENCE.to_owned(),
    }
}

impl Loaded {
    /// What the stand-ins are told.
    fn project<'a>(&'a self, options: &'a Options) -> Project<'a> {
        Project {
            config: &options.config,
            environment: &self.environment,
            verifier: &self.verifier,
            database_connections: self.settings.host.database_connections.to_u32(),
        }
    }
}

async fn run(
    loaded: Loaded,
    beside: Router,
    listener: TcpListener,
    grace: Duration,
) -> Result<(), StartError> {
    let Loaded { settings, environment, functions, egress, verifier, rpc, database, metrics, alive } = loaded;
    let service = verifier.verify(environment.service_key.expose()).map_err(StartError::ServiceKey)?;
    if service.role != Role::ServiceRole {
        return Err(StartError::ServiceRole);
    }
    let host = Arc::new(Host {
        functions: Arc::clone(&functions),
        verifier,
        rpc,
        service,
        metrics: Arc::clone(&metrics),
        stopping: AtomicBool::new(false),
    });
    let api = routes::api(&host, beside);
    egress.set_router(api.clone());

    let stop = CancellationToken::new();
    triggers::start(&functions, &environment, database, &stop, &alive);
    let watching = tokio::spawn(async move {
        if let Err(error) = functions.watch().await {
            tracing::error!(
                error = %Chain(&error),
                "the components are not watched: changes wait for a start"
            );
        }
    });

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!(grace_s = grace.as_secs(), "stopping");
        host.stopping.store(true, Ordering::Relaxed);
        stop.cancel();
        alive.close();
    };
    let server = Server::new(listener, routes::public(&host, api), &settings.host, metrics);
    let over = stop.clone();
    let out_of_time = async {
        over.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        () = server.serve(told, alive.wait()) => tracing::info!("stopped"),
        () = out_of_time => tracing::warn!("stopped before all was finished: the time for it is over"),
    }
    watching.abort();
    Ok(())
}

/// Every connection is a file, and the usual soft limit is for programs of another age.
fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it isn't granted, connections beyond the limit wait.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
