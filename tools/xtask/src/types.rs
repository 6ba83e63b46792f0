//! `types`: the TypeScript types of the API, for app developers, kept in `supabase/types/database.ts`.
//!
//! Promises: what the file says is what the real `supabase gen types` says of a database that the migrations made, formatted by
//! prettier because the CLI leaves that to others.

use std::fs;

use anyhow::{Result, bail};
use welltrack_stack::cluster::{Cluster, Durability};
use welltrack_stack::cmd::Cmd;
use welltrack_stack::files::{make_dir, write_whole};
use welltrack_stack::layout::Layout;
use welltrack_stack::prefix::Prefix;
use welltrack_stack::{Stack, supabase, ui};

/// Where the types are kept, from the checkout.
const FILE: &str = "supabase/types/database.ts";

const HEAD: &str =
    "// The types of WellTrack's API, from the database itself: `cargo xtask types` writes this file.\n\n";

/// Writes the file anew, or with `check` only says whether that would change it.
pub(crate) fn run(layout: &Layout, prefix: &Prefix, check: bool) -> Result<()> {
    let stack = ui::step("Building a database from supabase/migrations/", || {
        Stack::throwaway(layout, prefix, Durability::None, "types")
    })?;
    if check {
        return compare(layout, &stack);
    }
    let types = generate(layout, &stack)?;
    make_dir(&layout.root.join("supabase/types"))?;
    write_whole(&layout.root.join(FILE), &types)?;
    ui::note(&format!("wrote {FILE}"));
    Ok(())
}

/// An error if the kept file is not what the database says.
pub(crate) fn compare(layout: &Layout, cluster: &Cluster) -> Result<()> {
    let wanted = generate(layout, cluster)?;
    if fs::read_to_string(layout.root.join(FILE)).is_ok_and(|kept| kept == wanted) {
        return Ok(());
    }
    bail!("{FILE} is not what the database says. What to do: `cargo xtask types`, then commit the file")
}

fn generate(layout: &Layout, cluster: &Cluster) -> Result<String> {
    let raw = supabase::cli(
        layout,
        cluster,
        &["gen", "types", "--lang", "typescript", "--schema", "public"],
        "types",
    )
    .capture()?;
    let file = layout.state.join("database.ts");
    fs::write(&file, raw)?;
    let text = Cmd::new(layout.root.join("node_modules/.bin/prettier"))
        // The file lies where git, and so prettier, would ignore it.
        .args([
            "--no-config",
            "--ignore-path",
            "/dev/null",
            "--print-width",
            "110",
            "--single-quote",
            "--no-semi",
        ])
        .arg(&file)
        .log(layout.log("types"))
        .capture()?;
    Ok(format!("{HEAD}{text}"))
}
