//! What a Supabase image contains, from `tools/stack/bootstrap/`: run on a cluster, and kept as a template that new clusters are copied
//! from, because copying takes a tenth of the time.
//!
//! Promises: the template is whole or absent, and made anew when a file of `bootstrap/` or the version of Postgres changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Cluster, Durability, PASSWORD, Role};
use crate::cmd::Cmd;
use crate::files::{files_below, remove, write_whole};
use crate::inputs::Inputs;
use crate::layout::Layout;
use crate::prefix::Prefix;
use crate::{port, ui};

fn folder(layout: &Layout) -> PathBuf {
    layout.root.join("tools/stack/bootstrap")
}

fn hash(layout: &Layout, prefix: &Prefix) -> Result<String> {
    Ok(Inputs::default().tree(&folder(layout))?.text(&prefix.version).finish())
}

/// The folder of a stopped cluster with everything of `bootstrap/` in it, made if there is none of that hash.
fn template(layout: &Layout, prefix: &Prefix, hash: &str) -> Result<PathBuf> {
    let place = layout.state.join("template");
    let whole = |place: &Path| fs::read_to_string(place.join("bootstrap")).is_ok_and(|seen| seen == hash);
    if whole(&place) {
        return Ok(place);
    }
    let _lock = layout.lock("template")?;
    if whole(&place) {
        return Ok(place);
    }
    ui::step("Making a database with what a Supabase image contains", || {
        let beside = Cluster {
            prefix: prefix.clone(),
            dir: layout.state.join("template.new"),
            port: port::free()?,
            durability: Durability::None,
            user: layout.server_user.clone(),
        };
        beside.destroy()?;
        beside.make_own(&beside.dir)?;
        let made = beside
            .initialise()
            .and_then(|()| beside.start_server(&[]))
            .and_then(|()| beside.bootstrap(layout));
        beside.stop()?;
        made?;
        write_whole(&beside.dir.join("bootstrap"), hash)?;
        remove(&place)?;
        fs::rename(&beside.dir, &place)?;
        Ok(place)
    })
}

impl Cluster {
    /// Makes the cluster if there is none, brings it up to date with `bootstrap/`, and starts the server.
    pub fn start(&self, layout: &Layout) -> Result<()> {
        let wanted = hash(layout, &self.prefix)?;
        if !self.data().is_dir() {
            let template = template(layout, &self.prefix, &wanted)?;
            self.create_from(&template)?;
        }
        self.start_server(&[])?;
        let seen = self.dir.join("bootstrap");
        if fs::read_to_string(&seen).ok().as_ref() != Some(&wanted) {
            self.bootstrap(layout)?;
            write_whole(&seen, &wanted)?;
        }
        Ok(())
    }

    fn create_from(&self, template: &Path) -> Result<()> {
        let beside = self.dir.with_extension("new");
        remove(&beside)?;
        self.make_own(&beside)?;
        Cmd::new("cp")
            .arg("-a")
            .arg(template.join("data"))
            .arg(template.join("bootstrap"))
            .arg(&beside)
            .capture()?;
        remove(&self.dir)?;
        fs::rename(&beside, &self.dir).with_context(|| format!("could not make {}", self.dir.display()))
    }

    /// Runs every file of `bootstrap/`; each is safe to run again.
    fn bootstrap(&self, layout: &Layout) -> Result<()> {
        for file in
            files_below(&folder(layout))?.iter().filter(|file| file.extension().is_some_and(|e| e == "sql"))
        {
            self.psql(Role::SupabaseAdmin, "postgres")
                .arg("--single-transaction")
                .arg("--file")
                .arg(file)
                .capture()?;
        }
        Ok(())
    }

    fn initialise(&self) -> Result<()> {
        let password = self.dir.join("password");
        fs::write(&password, PASSWORD)?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644))?;
        self.server("initdb")
            .args(["--username", Role::SupabaseAdmin.name(), "--auth", "scram-sha-256"])
            .args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--pwfile"])
            .arg(&password)
            .arg("--pgdata")
            .arg(self.data())
            .capture()?;
        remove(&password)
    }
}
