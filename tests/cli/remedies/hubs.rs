//! The hubs of the scripts.

use crate::{
    server::{Faults, Server},
    setting::base,
};
use std::{fs, path::Path};

/// Hubs that scripts may ask: a sound one, one that damages files, one that is busy.
pub struct Hubs(pub [Server; 3]);

impl Hubs {
    pub fn start() -> Self {
        let hubs = [Server::start(), Server::start(), Server::start()];
        for hub in &hubs {
            for repo in ["acme/base", "acme/gated", "acme/private"] {
                hub.publish_folder(repo, base());
            }
            hub.protect("acme/gated", "hf_secret", false);
            hub.protect("acme/private", "hf_secret", true);
            for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
                hub.publish("acme/packed", file, fs::read(base().join(file)).unwrap());
            }
            hub.publish("acme/packed", "m-Q4.gguf", "GGUF");
            hub.publish("acme/notes", "notes.txt", "nothing else");
        }
        hubs[1].faults(Faults { damaged: usize::MAX, ..Default::default() });
        hubs[2].faults(Faults { busy: usize::MAX, ..Default::default() });
        Self(hubs)
    }

    /// Publishes an adapter of the base model.
    pub fn publish(&self, adapter: &Path) {
        self.0[0].publish_folder("acme/adapter", adapter);
    }
}
