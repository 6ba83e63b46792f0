//! Components that change while the host runs.

use std::fs;

use crate::support::{Setup, guest};

/// The guest with another greeting.
fn other_guest() -> Vec<u8> {
    let mut bytes = fs::read(guest()).unwrap();
    let (old, new) = (b"{\"hello\":\"world\"}", b"{\"hello\":\"again\"}");
    let place =
        bytes.windows(old.len()).position(|window| window == old).expect("the greeting is in the guest");
    bytes[place..place + new.len()].copy_from_slice(new);
    bytes
}

#[tokio::test]
async fn a_replaced_component_serves_the_next_request() {
    let host = Setup::new("[functions.hostile]\n").start();
    host.serves_on("hostile").await;
    fs::write(host.setup.component("hostile"), other_guest()).unwrap();
    host.logged(|line| line.contains("\"message\":\"reloaded\""));
    assert_eq!(host.get("hostile/hello").await.text().await.unwrap(), "{\"hello\":\"again\"}");
}

#[tokio::test]
async fn a_component_that_is_moved_into_place_is_seen_too() {
    let host = Setup::new("[functions.hostile]\n").start();
    let aside = host.setup.component("hostile").with_extension("new");
    fs::write(&aside, other_guest()).unwrap();
    fs::rename(&aside, host.setup.component("hostile")).unwrap();
    host.logged(|line| line.contains("\"message\":\"reloaded\""));
    assert_eq!(host.get("hostile/hello").await.text().await.unwrap(), "{\"hello\":\"again\"}");
}

#[tokio::test]
async fn a_broken_component_changes_nothing_but_the_log() {
    let host = Setup::new("[functions.hostile]\n").start();
    let whole = fs::read(guest()).unwrap();
    for broken in [&b"no component"[..], &whole[..whole.len() / 2], b"\0asm\x01\0\0\0"] {
        let seen = host.log().len();
        fs::write(host.setup.component("hostile"), broken).unwrap();
        host.logged_after(seen, |line| line.contains("can't be loaded; the old one serves on"));
        host.serves_on("hostile").await;
    }
    fs::remove_file(host.setup.component("hostile")).unwrap();
    host.serves_on("hostile").await;
    fs::write(host.setup.component("hostile"), other_guest()).unwrap();
    host.logged(|line| line.contains("\"message\":\"reloaded\""));
    assert_eq!(host.get("hostile/hello").await.text().await.unwrap(), "{\"hello\":\"again\"}");
}

#[tokio::test]
async fn a_request_that_runs_ends_with_the_component_it_began_with() {
    let host = Setup::new("[functions.hostile]\n").start();
    let running = host.get("hostile/drip?300").await;
    fs::write(host.setup.component("hostile"), other_guest()).unwrap();
    host.logged(|line| line.contains("\"message\":\"reloaded\""));
    assert_eq!(running.text().await.unwrap(), "drop\n".repeat(10));
}
