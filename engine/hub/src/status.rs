//! Where a hub and its cache are, and whether the hub answers.

use super::{Hub, http::Client};
use framework_base::Result;
use serde::Serialize;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// What this process knows of its hub.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The hub's address.
    pub endpoint: String,
    /// The folder of the cache, which need not exist.
    pub cache: PathBuf,
    /// Whether a token is set; the token itself is never shown.
    pub token: bool,
    /// Whether the hub answers.
    pub reach: Reach,
}

/// Whether a hub answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// It was not asked: `HF_HUB_OFFLINE` is set.
    Offline,
    /// It has answered within so many milliseconds.
    Answers(u64),
    /// Why it has not.
    Fails(String),
}

/// Asks the hub of the environment for its front page, without a token. The answer takes no longer than `limit`.
///
/// # Errors
/// The environment names no hub or no place for a cache.
pub fn status(limit: Duration) -> Result<Status> {
    let hub = Hub::of_environment()?;
    let reach = if hub.offline { Reach::Offline } else { hub.reach(limit) };
    Ok(Status { endpoint: hub.endpoint, cache: hub.cache.0, token: hub.token.is_some(), reach })
}

impl Hub {
    fn reach(&self, limit: Duration) -> Reach {
        let begun = Instant::now();
        let reply = Client::within(&self.endpoint, limit).and_then(|client| client.head("/"));
        match reply {
            // A mirror need not have a front page.
            Ok(reply) if reply.status < 500 => Reach::Answers(begun.elapsed().as_millis() as u64),
            Ok(reply) => Reach::Fails(format!("it answers with status {}", reply.status)),
            Err(why) => Reach::Fails(why),
        }
    }
}
