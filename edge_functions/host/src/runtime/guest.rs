//! What an instance has: its environment, its limits, its egress.
//!
//! It has no folder, no socket, no clock but the usual ones, no variable that was not named for it, and memory up to its cap.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Result};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::meter::Meter;
use super::outgoing::Outgoing;
use super::output::Output;

/// Handles that an instance may hold at once (requests, bodies, headers): what they stand for is memory of the host.
const MOST_HANDLES: usize = 1_000;

/// What the headers of one request or answer may take, in bytes.
const MOST_HEADERS: usize = 128 << 10;

/// The state of one instance.
pub(crate) struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    pub(super) memory: MemoryCap,
    pub(super) meter: Arc<Meter>,
}

impl Guest {
    pub(super) fn new(
        environment: &[(String, String)],
        memory: usize,
        output: Output,
        outgoing: Outgoing,
    ) -> Self {
        let mut wasi = WasiCtx::builder();
        wasi.envs(environment).stdout(output.clone()).stderr(output).allow_tcp(false).allow_udp(false);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MOST_HANDLES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MOST_HEADERS);
        Self {
            table,
            wasi: wasi.build(),
            http,
            outgoing,
            memory: MemoryCap { cap: memory, peak: 0, refused: false },
            meter: Arc::default(),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // However it came to its end.
        self.outgoing.identity().metrics.ended(self.meter.used(), self.memory.peak);
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Says no to memory beyond the cap. A guest that can't live with that traps by itself; `refused` then says why.
pub(super) struct MemoryCap {
    cap: usize,
    pub(super) peak: usize,
    pub(super) refused: bool,
}

/// Entries of a table that a component may have: what a large program in Rust needs, many times over.
const TABLE_CAP: usize = 20_000;

impl ResourceLimiter for MemoryCap {
    // A component has one memory: the engine's pool sees to that.
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let granted = desired <= self.cap;
        if granted {
            self.peak = self.peak.max(desired);
        } else {
            self.refused = true;
        }
        Ok(granted)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= TABLE_CAP)
    }
}
