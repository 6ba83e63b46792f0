//! The README's commands: every fenced block that says `sh` is run, in order, by a shell that stops at the first failure.
//!
//! Promises: a command that no longer works fails the test, wherever the README shows it. `sh` blocks are commands, so write what
//! a reader sees but doesn't type as `console` or `text`. The line `cargo xtask test` is left out: it is what is running.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use welltrack_stack::cluster::throwaway::{self, Throwaway};
use welltrack_stack::cluster::{Cluster, Durability};
use welltrack_stack::cmd::Cmd;
use welltrack_stack::edge::{Edge, Fleeting};
use welltrack_stack::files::remove;
use welltrack_stack::layout::Layout;
use welltrack_stack::{port, ui};

use super::check::{Context, Report, WITHIN};

pub(super) fn run(ctx: &Context, report: &mut Report) {
    let Some(blocks) = report.check("README.md has commands", || {
        let blocks = commands(&fs::read_to_string(ctx.layout.root.join("README.md"))?);
        ensure!(!blocks.is_empty(), "README.md has no ```sh block");
        Ok(blocks)
    }) else {
        return;
    };
    // A database of its own beside the developer's; the name is a throwaway's, so it goes away however this ends.
    let name = throwaway::name("readme");
    let Some(port) = report.check("a free port", port::free) else { return };
    let Some(api_port) = report.check("another free port", port::free) else { return };
    let full_name = format!("{name}-{}", ctx.prefix.major);
    let database =
        Throwaway::adopt(Cluster::new(&ctx.layout, &ctx.prefix, &full_name, port, Durability::Full));
    let _host = Fleeting(Edge::new(&ctx.layout, &database, api_port));
    let Some(_sources) =
        report.check("no copy of the example is in the way", || Sources::note(&ctx.layout, "hello"))
    else {
        return;
    };
    let ports = [port, api_port];
    for block in &blocks {
        let first =
            block.script.lines().next().and_then(|line| line.split(" #").next()).unwrap_or_default().trim();
        report.check(&format!("line {}: {first}", block.line), || shell(ctx, &block.script, &name, ports));
    }
}

fn shell(ctx: &Context, script: &str, cluster: &str, [port, api_port]: [u16; 2]) -> Result<()> {
    Cmd::new("sh")
        .args(["-euc", script])
        .cwd(&ctx.layout.root)
        .env(WITHIN, "1")
        .env("WELLTRACK_CLUSTER", cluster)
        .env("WELLTRACK_DB_PORT", port.to_string())
        .env("WELLTRACK_API_PORT", api_port.to_string())
        .log(ctx.layout.log("readme"))
        .hint("correct the README, or what it shows")
        .run()
}

/// Puts the workspace of the functions back, however the test ends: the README copies an example into it.
struct Sources {
    copy: PathBuf,
    lock: PathBuf,
    locked: Vec<u8>,
}

impl Sources {
    /// # Errors
    /// When a function of the example's name is there already: the README would write over it.
    fn note(layout: &Layout, example: &str) -> Result<Self> {
        let folder = layout.root.join("edge_functions/functions");
        let (copy, lock) = (folder.join(example), folder.join("Cargo.lock"));
        ensure!(
            !copy.exists(),
            "{} is in the way: the README copies examples/{example} there. What to do: move it away",
            copy.display()
        );
        Ok(Self { locked: fs::read(&lock)?, copy, lock })
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        let back = remove(&self.copy).and_then(|()| Ok(fs::write(&self.lock, &self.locked)?));
        if let Err(error) = back {
            ui::note(&format!("could not put {} back: {error}", self.lock.display()));
        }
    }
}

/// A block of commands and where it stands.
#[derive(Debug, PartialEq)]
struct Block {
    line: usize,
    script: String,
}

/// The `sh` blocks of a Markdown text.
fn commands(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut fence: Option<&str> = None;
    for (index, line) in markdown.lines().enumerate() {
        let text = line.trim();
        match fence {
            None => {
                if let Some(kind) = text.strip_prefix("```") {
                    fence = Some(kind);
                    if kind == "sh" {
                        blocks.push(Block { line: index + 2, script: String::new() });
                    }
                }
            }
            Some(_) if text == "```" => fence = None,
            Some("sh") if text != "cargo xtask test" => {
                if let Some(block) = blocks.last_mut() {
                    block.script.push_str(line);
                    block.script.push('\n');
                }
            }
            Some(_) => {}
        }
    }
    blocks.retain(|block| !block.script.trim().is_empty());
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sh_blocks_are_commands_and_each_knows_its_line() {
        let text = "# x\n\n```sh\none\ntwo  # why\n```\n```console\n$ not this\n```\n```ts\nnor this\n```\n  ```sh\n  three\n  ```\n";
        assert_eq!(
            commands(text),
            [
                Block { line: 4, script: "one\ntwo  # why\n".into() },
                Block { line: 14, script: "  three\n".into() }
            ]
        );
    }

    #[test]
    fn the_test_command_itself_is_left_out_and_a_part_of_it_is_not() {
        let blocks = commands("```sh\ncargo xtask test\n```\n```sh\ncargo xtask test lint\n```\n");
        assert_eq!(blocks, [Block { line: 5, script: "cargo xtask test lint\n".into() }]);
    }

    #[test]
    fn a_fence_without_an_end_takes_the_rest() {
        assert_eq!(commands("```sh\none\n"), [Block { line: 2, script: "one\n".into() }]);
    }
}
