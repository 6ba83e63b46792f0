//! TCP ports of this machine: finding a free one, and saying who holds one that is not.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

/// A port that nobody listens on right now.
pub fn free() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// An error that names the holder, if somebody listens on the port.
pub fn ensure_free(port: u16) -> Result<()> {
    if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
        return Ok(());
    }
    let holder = holder(port).map_or_else(String::new, |who| format!(" by {who}"));
    bail!(
        "port {port} is in use{holder}. What to do: stop that program, or choose another port: \
         WELLTRACK_DB_PORT={} cargo xtask up",
        port.checked_add(100).unwrap_or(54_422)
    )
}

/// "process 42 (postgres)", as far as this user may see it.
fn holder(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .find_map(|table| listening_inode(&table, port).map(str::to_owned))?;
    let socket = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let id = process.file_name().to_string_lossy().into_owned();
        if id.parse::<u32>().is_err() {
            continue;
        }
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        if files
            .flatten()
            .any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == socket.as_str()))
        {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("process {id} ({})", name.trim()));
        }
    }
    Some("another user's process".to_owned())
}

/// The inode of the socket that listens on the port, from the kernel's table (state 0A is LISTEN).
fn listening_inode(table: &str, port: u16) -> Option<&str> {
    let ending = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(1)?.ends_with(&ending) && *words.get(3)? == "0A").then(|| words.get(9).copied())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        0: 0100007F:D432 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 31337 1 0 100 0 0 10 0\n\
        1: 0100007F:D433 0100007F:1234 01 00000000:00000000 00:00000000 00000000   101        0 99 1 0 100 0 0 10 0\n";

    #[test]
    fn the_listener_of_a_port_is_found_and_a_mere_connection_is_not() {
        assert_eq!(listening_inode(TABLE, 0xD432), Some("31337"));
        assert_eq!(listening_inode(TABLE, 0xD433), None);
        assert_eq!(listening_inode("", 1), None);
    }

    #[test]
    fn a_port_in_use_is_refused_with_its_holder_and_a_way_out() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let text = ensure_free(port).expect_err("in use").to_string();
        assert!(
            text.contains(&format!("process {}", std::process::id())) && text.contains("WELLTRACK_DB_PORT="),
            "{text}"
        );
        drop(listener);
        ensure_free(port).expect("free again");
    }
}
