//! Putting the host together, and taking it apart.
//!
//! Promises: a start that can't work stops with one clear message; a stop finishes what runs, within the time it is given.
//! Stops at order: each part is its own module.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use welltrack_gateway::Address;
use welltrack_gateway::auth::{Auth, AuthSettings};
use welltrack_gateway::jwt::{self, JwtSettings, Role, Verifier};
use welltrack_gateway::rest::{Rest, RestSettings};
use welltrack_gateway::rpc;

use crate::functions::{Functions, components_in};
use crate::metrics::Metrics;
use crate::routes::{self, Host};
use crate::runtime::{Common, Outside, Runtime};
use crate::server::Server;
use crate::settings::{Environment, Settings};
use crate::{Options, ServeOptions, logs, triggers};

/// All that was read and loaded, before anything runs.
struct Loaded {
    settings: Settings,
    environment: Environment,
    functions: Arc<Functions>,
    outside: Arc<Outside>,
    verifier: Arc<Verifier>,
    rpc: rpc::Pool,
    database: Address,
    metrics: Arc<Metrics>,
    alive: TaskTracker,
}

/// `welltrack-edge check`.
pub(crate) fn check(options: &Options) -> Result<()> {
    runtime()?.block_on(async {
        logs::start(options.log, options.log_level)?;
        let loaded =
            load(options, options.local.then_some(SocketAddr::from(([127, 0, 0, 1], 54321)))).await?;
        println!("{} functions, all well", loaded.functions.iter().count());
        Ok(())
    })
}

/// `welltrack-edge serve`.
pub(crate) fn serve(options: &ServeOptions) -> Result<()> {
    let began = Instant::now();
    runtime()?.block_on(async {
        logs::start(options.common.log, options.common.log_level)?;
        ensure!(
            !options.common.local || options.listen.ip().is_loopback(),
            "--local hands out keys that everybody knows, so it listens on this machine only: {} is not",
            options.listen
        );
        raise_open_files();
        // Who comes before all is loaded waits in the listener's queue.
        let listener = TcpListener::bind(options.listen)
            .await
            .with_context(|| format!("can't listen on {}", options.listen))?;
        let address = listener.local_addr()?;
        let loaded = load(&options.common, options.common.local.then_some(address)).await?;
        let stand_ins = if options.common.local { stand_ins(&loaded).await? } else { Router::new() };
        let names: Vec<_> = loaded.functions.iter().map(|function| function.name()).collect();
        tracing::info!(
            %address,
            functions = names.join(","),
            local = options.common.local,
            ms = began.elapsed().as_secs_f64() * 1e3,
            "serving"
        );
        run(loaded, stand_ins, listener, Duration::from_secs(options.grace)).await
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    // reqwest is built without a provider of its own; this is the first thing that runs.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

async fn load(options: &Options, local: Option<SocketAddr>) -> Result<Loaded> {
    let components = components_in(&options.components)?;
    let settings = Settings::read(&options.config, &components)?;
    let environment = Environment::read(options.env_file.as_deref(), local)?;
    let verifier = Arc::new(Verifier::new(jwt_settings(&environment))?);
    let connections = usize::try_from(settings.host.database_connections.0)?;
    let shared = settings.host.shared_commits.iter().map(|name| name.0.clone()).collect();
    let database = Address::parse(environment.database.expose())?;
    let rpc = rpc::Pool::connect(environment.database.expose(), connections).await?.sharing(shared);
    let outside = Arc::new(Outside::new(
        &environment.url,
        Arc::clone(&verifier),
        rpc.clone(),
        options.local,
        options.allow_host.clone(),
    )?);
    let metrics = Arc::new(Metrics::default());
    let alive = TaskTracker::new();
    let memory = settings.enabled().map(|(_, function)| function.limits.memory()).max().unwrap_or(1 << 20);
    let instances = u32::try_from(settings.host.max_instances.0)?;
    let runtime = Arc::new(Runtime::new(options.cache.as_deref(), instances, memory)?);
    let common = Common {
        instances: Arc::new(Semaphore::new(usize::try_from(instances)?)),
        outside: Arc::clone(&outside),
        alive: alive.clone(),
    };
    let functions = Functions::load(&options.components, runtime, &settings, &environment, &metrics, &common)
        .map(Arc::new)?;
    Ok(Loaded { settings, environment, functions, outside, verifier, rpc, database, metrics, alive })
}

fn jwt_settings(environment: &Environment) -> JwtSettings {
    JwtSettings {
        hs256_secret: environment.jwt_secret.clone(),
        jwks: environment.jwks.clone(),
        audience: jwt::AUDIENCE.to_owned(),
    }
}

/// `/rest/v1` and `/auth/v1` of the local stack.
async fn stand_ins(loaded: &Loaded) -> Result<Router> {
    let jwt = || jwt_settings(&loaded.environment);
    let settings = &loaded.settings;
    let auth = Auth::new(AuthSettings {
        local: true,
        db_url: loaded.environment.auth_database(),
        jwt: jwt(),
        issuer: format!("{}/auth/v1", loaded.environment.url),
        anonymous_sign_ins: settings.stand_ins.anonymous_sign_ins,
    })?;
    let rest = Rest::start(RestSettings {
        db_url: loaded.environment.database.clone(),
        jwt: jwt(),
        max_rows: settings.stand_ins.max_rows,
        pool_size: u32::try_from(settings.host.database_connections.0)?,
    })
    .await?;
    Ok(rest.router().merge(auth.router()))
}

async fn run(loaded: Loaded, stand_ins: Router, listener: TcpListener, grace: Duration) -> Result<()> {
    let Loaded { settings, environment, functions, outside, verifier, rpc, database, metrics, alive } =
        loaded;
    let service = verifier.verify(environment.service_key.expose());
    let service = service.context("SUPABASE_SERVICE_ROLE_KEY is no token of this project")?;
    ensure!(service.role == Role::ServiceRole, "SUPABASE_SERVICE_ROLE_KEY is not the service role's");
    let host = Arc::new(Host {
        functions: Arc::clone(&functions),
        verifier,
        rpc,
        service,
        metrics: Arc::clone(&metrics),
        stopping: AtomicBool::new(false),
    });
    let api = routes::api(&host, stand_ins);
    outside.set_router(api.clone());

    let stop = CancellationToken::new();
    triggers::start(&functions, &environment, database, &stop, &alive);
    let watching = tokio::spawn(async move {
        if let Err(error) = functions.watch().await {
            tracing::error!(
                error = format!("{error:#}"),
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
