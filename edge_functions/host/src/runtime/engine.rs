//! The engine that compiles components and gives them their memory.
//!
//! Compiled code comes from a folder that only this user can write, or from the compiler. Instances come out of a pool of fixed
//! size. Running code looks up every [`TICK`] to see whether its time is over.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use wasmtime::component::{Component, Linker};
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::guest::Guest;
use crate::error::{LoadError, StartError};

/// How often running code is interrupted to look at its clock, and to let others run: the grain of the processor limit.
const TICK: Duration = Duration::from_millis(10);

/// What an instance leaves in memory for the next one instead of giving it back page by page; twice the throughput of
/// giving all back, in a trial.
const KEPT_RESIDENT: usize = 2 << 20;

/// Compiles components and links them to what the host offers.
pub(crate) struct Runtime {
    engine: Engine,
    linker: Linker<Guest>,
}

impl Runtime {
    /// An engine for `max_instances` instances at once of at most `max_memory` bytes each; `cache` is made if it isn't there.
    ///
    /// # Errors
    ///
    /// When others can write to `cache`, or the machine can't give the address space.
    pub(crate) fn new(
        cache: Option<&Path>,
        max_instances: u32,
        max_memory: usize,
    ) -> Result<Self, StartError> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(max_instances)
            .total_core_instances(max_instances.saturating_mul(8))
            .total_memories(max_instances)
            .total_tables(max_instances.saturating_mul(4))
            .total_stacks(max_instances)
            .max_core_instances_per_component(8)
            .max_memories_per_component(1)
            .max_tables_per_component(4)
            .max_memory_size(max_memory)
            .max_unused_warm_slots(max_instances.min(256))
            .linear_memory_keep_resident(KEPT_RESIDENT)
            .table_keep_resident(KEPT_RESIDENT / 16)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .cache(cache.map(open_cache).transpose()?);
        let engine = Engine::new(&config).map_err(refused)?;

        let mut linker = Linker::new(&engine);
        // Files and sockets are linked too, because the standard library of a guest asks for them; each guest gets a context
        // without any folder, and with no address that it may connect to.
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(refused)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).map_err(refused)?;

        let clock = engine.weak();
        thread::Builder::new().name("ticks".to_owned()).spawn(move || {
            while let Some(engine) = clock.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })?;
        Ok(Self { engine, linker })
    }

    /// Compiles a component, or takes it from the cache. Takes seconds of processor time when it is new.
    ///
    /// # Errors
    ///
    /// When the file is no component of the world `wasi:http/proxy` (WASI 0.2).
    pub(crate) fn load(&self, file: &Path) -> Result<ProxyPre<Guest>, LoadError> {
        let unusable = |error: wasmtime::Error| LoadError::Component(error.into());
        let component = Component::from_file(&self.engine, file).map_err(unusable)?;
        let linked = self.linker.instantiate_pre(&component).map_err(unusable)?;
        ProxyPre::new(linked).map_err(|error| LoadError::World(error.into()))
    }
}

fn refused(error: wasmtime::Error) -> StartError {
    StartError::Engine(error.into())
}

/// Compiled code is run as it is found, so whoever can write it rules the host.
fn open_cache(folder: &Path) -> Result<Cache, StartError> {
    let name = folder.display().to_string();
    let unusable = |error: std::io::Error| StartError::Cache(name.clone(), error.into());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
    let found = fs::metadata(folder).map_err(unusable)?;
    if found.uid() != nix::unistd::geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(StartError::OpenCache(name));
    }
    let mut config = CacheConfig::new();
    config.with_directory(fs::canonicalize(folder).map_err(unusable)?);
    Cache::new(config).map_err(|error| StartError::Cache(name, error.into()))
}
