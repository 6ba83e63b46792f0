//! `provider-simulator`: the stand-in for Garmin and Strava as a program, controlled over `/_control`.
//!
//! Prints its address and the settings with which the functions meet it, as an env file, and serves until it is ended.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use welltrack_tests::simulator::{Settings, Simulator};

fn main() -> Result<()> {
    let mut settings = Settings::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} wants a value"));
        match arg.as_str() {
            "--listen" => {
                settings.listen = value()?.parse::<SocketAddr>().context("--listen wants 127.0.0.1:PORT")?;
            }
            "--seed" => settings.seed = value()?.parse().context("--seed wants a number")?,
            _ => bail!("usage: provider-simulator [--listen 127.0.0.1:PORT] [--seed N]"),
        }
    }
    let simulator = Simulator::start(settings)?;
    println!("# A stand-in for Garmin and Strava at {}", simulator.base_url);
    for (name, value) in simulator.environment() {
        println!("{name}={value}");
    }
    loop {
        std::thread::park();
    }
}
