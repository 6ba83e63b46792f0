//! A running database with the whole schema: the development database, or one that is gone with its value.
//!
//! A [`Stack`] in hand means a running server with every migration applied.

use std::ops::Deref;

use anyhow::{Context, Result, bail};

use crate::cluster::throwaway::Throwaway;
use crate::cluster::{Cluster, Durability};
use crate::layout::Layout;
use crate::prefix::Prefix;
use crate::{supabase, ui};

/// Supabase's own port for the local database.
const DB_PORT: u16 = 54_322;

/// The keys of every local Supabase, signed with its well-known secret: they protect nothing.
/// <https://supabase.com/docs/guides/self-hosting/docker>
pub mod well_known {
    /// What tokens are signed with.
    pub const JWT_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
    /// The publishable key, of the role `anon`.
    pub const ANON_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0";
    /// The key of the role `service_role`.
    pub const SERVICE_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU";
}

/// A running database with the whole schema. Dereferences to its [`Cluster`], which has the addresses.
pub struct Stack {
    /// The checkout that it belongs to.
    pub layout: Layout,
    cluster: Owned,
}

enum Owned {
    Kept(Cluster),
    Throwaway(Throwaway),
}

impl Deref for Stack {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        match &self.cluster {
            Owned::Kept(cluster) => cluster,
            Owned::Throwaway(cluster) => cluster,
        }
    }
}

impl Stack {
    /// The development database of that Postgres, started and migrated as far as that was still to do; `before_push` readies it
    /// for the migrations.
    pub fn dev(
        layout: Layout,
        prefix: &Prefix,
        before_push: impl FnOnce(&Cluster) -> Result<()>,
    ) -> Result<Self> {
        let lock = layout.lock("stack")?;
        let cluster = dev_cluster(&layout, prefix)?;
        if cluster.pid().is_none() {
            ui::step(&format!("Starting Postgres on port {}", cluster.port()), || cluster.start(&layout))?;
        } else {
            cluster.start(&layout)?;
        }
        before_push(&cluster)?;
        ui::step("Applying migrations (supabase db push)", || supabase::push(&layout, &cluster, "stack"))?;
        drop(lock);
        Ok(Self { layout, cluster: Owned::Kept(cluster) })
    }

    /// The development database as it is, if its server runs.
    pub fn running(layout: &Layout) -> Result<Option<Self>> {
        let Ok(prefix) = Prefix::open(&layout.state.join("pg")) else { return Ok(None) };
        let cluster = dev_cluster(layout, &prefix)?;
        Ok(cluster.pid().map(|_| Self { layout: layout.clone(), cluster: Owned::Kept(cluster) }))
    }

    /// A fresh database that is gone with this value, with every migration applied.
    pub fn throwaway(layout: &Layout, prefix: &Prefix, durability: Durability, log: &str) -> Result<Self> {
        let cluster = Throwaway::start(layout, prefix, durability)?;
        supabase::push(layout, &cluster, log)?;
        Ok(Self { layout: layout.clone(), cluster: Owned::Throwaway(cluster) })
    }
}

/// The development cluster of that Postgres; WELLTRACK_CLUSTER and WELLTRACK_DB_PORT name another one beside it.
pub fn dev_cluster(layout: &Layout, prefix: &Prefix) -> Result<Cluster> {
    let name = std::env::var("WELLTRACK_CLUSTER").unwrap_or_else(|_| "dev".to_owned());
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        bail!("WELLTRACK_CLUSTER may have letters, digits and hyphens, not `{name}`");
    }
    let port = match std::env::var("WELLTRACK_DB_PORT") {
        Ok(text) => {
            text.parse().with_context(|| format!("WELLTRACK_DB_PORT is a port number, not `{text}`"))?
        }
        Err(_) => DB_PORT,
    };
    // Another major version cannot read the files, so each has its own.
    let cluster = Cluster::new(layout, prefix, &format!("{name}-{}", prefix.major), port, Durability::Full);
    if cluster.port() != port {
        ui::note(&format!("the database already runs on port {}", cluster.port()));
    }
    Ok(cluster)
}
