//! Calls that must not get lost: repeated while the database is away.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use welltrack_kit::rpc::{Rpc, RpcError};
use wstd::task::sleep;

/// The pauses between attempts: a server that restarts is back in some seconds.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1_500),
    Duration::from_secs(3),
    Duration::from_secs(5),
];

/// Calls a function that may be called twice, again and again while the database is away.
pub(crate) async fn insist<R: DeserializeOwned>(
    rpc: &Rpc,
    function: &str,
    argument: &impl Serialize,
) -> Result<R, RpcError> {
    let mut pauses = PAUSES.into_iter();
    loop {
        match rpc.call(function, argument).await {
            Err(error) if error.is_passing() => match pauses.next() {
                Some(pause) => {
                    sleep(pause.into()).await;
                }
                None => return Err(error),
            },
            answer => return answer,
        }
    }
}
