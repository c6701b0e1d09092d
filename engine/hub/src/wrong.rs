//! What can go wrong with the hub, and what to do about it.

use super::{Hub, Id};
use framework_base::{Error, Problem};
use std::{io, path::Path};

/// How an id's files can be brought here by other means.
fn by_hand(id: &Id) -> String {
    let revision = id.revision.iter().map(|r| format!(" --revision {r}")).collect::<String>();
    let folder = id.name.rsplit('/').next().unwrap_or_default();
    format!("`hf download {}{revision} --local-dir {folder}` elsewhere, and give the folder", id.name)
}

impl Hub {
    /// Nobody answers.
    pub(super) fn unreachable(&self, id: &Id, why: &str) -> Error {
        Error::failed(format!(
            "{id}: cannot reach {}: {why}\n    \
             check the connection, HTTPS_PROXY, HF_ENDPOINT, and SSL_CERT_FILE behind a proxy that decrypts; or {}",
            self.endpoint,
            by_hand(id)
        ))
    }

    /// It is not here, and nobody may be asked.
    pub(super) fn offline(&self, id: &Id, file: &str) -> Error {
        let message =
            format!("{file} of {id} is not in the cache {}, and HF_HUB_OFFLINE is set", self.cache.0.display());
        Error::invalid(Problem::new(message).help(format!("unset HF_HUB_OFFLINE to download it; or {}", by_hand(id))))
    }

    /// The hub answers, but not with what was asked for. `code` is what it calls the reason, if it does.
    pub(super) fn refused(&self, id: &Id, status: u16, code: Option<&str>) -> Error {
        let (page, at) = (format!("{}/{}", self.endpoint, id.name), &self.endpoint);
        let token = match self.token {
            None => "set HF_TOKEN, or `hf auth login`",
            Some(_) => "check that HF_TOKEN is valid and may read it",
        };
        let (message, help) = match (status, code) {
            (_, Some("GatedRepo")) => (
                format!("{id} is gated: its owner gives it only to those who accept the conditions"),
                format!("accept them at {page} and {token}"),
            ),
            (_, Some("RevisionNotFound")) => (
                format!("{} has no revision `{}`", id.name, id.revision()),
                format!("its branches, tags and commits are listed at {page}/commits/main"),
            ),
            // To whom does not show a token the hub says of what does not exist that access is denied.
            (401 | 404, _) => (
                format!("{at} has no model {}, or shows it to its owner only", id.name),
                format!("check the spelling at {page}; if it is private, {token}"),
            ),
            (403, _) => (format!("{at} denies access to {id}"), format!("{token}; its page is {page}")),
            (429, _) => (format!("{at} has had too many requests"), format!("wait some minutes; {token}")),
            _ => return Error::failed(format!("{id}: {at} answers with status {status}; try again later")),
        };
        Error::invalid(Problem::new(message).help(help))
    }

    /// The repository lacks a file without which it is of no use.
    pub(super) fn lacks(&self, id: &Id, wanted: &str, names: &[&str]) -> Error {
        let has = |end: &str| names.iter().any(|name| name.ends_with(end));
        let help = if wanted == "model.safetensors" && (has(".bin") || has(".pt") || has(".pth")) {
            "its weights are pickled, which may run any program when read: convert them with \
             `AutoModelForCausalLM.from_pretrained(ID).save_pretrained(FOLDER)`, and give the folder"
                .to_owned()
        } else if wanted == "model.safetensors" && has(".gguf") {
            "it has GGUF files only; name the model that they were made from".to_owned()
        } else if names.contains(&"adapter_config.json") {
            "it is an adapter: name it as `adapter.init_from` or `--adapter`, and its base model here".to_owned()
        } else {
            let some: Vec<_> = names.iter().take(8).copied().collect();
            format!("it has {}{}", some.join(", "), if names.len() > 8 { ", …" } else { "" })
        };
        Error::invalid(Problem::new(format!("{id} has no {wanted}")).help(help))
    }

    /// What the hub says makes no sense.
    pub(super) fn senseless(&self, id: &Id, what: &str) -> Error {
        let message = format!("{id}: {} gives {what}\n    is HF_ENDPOINT the address of a hub?", self.endpoint);
        Error::failed(message)
    }

    /// What has arrived cannot be kept.
    pub(super) fn unwritten(&self, path: &Path, e: io::Error) -> Error {
        match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::failed(format!(
                "the disk of the cache {} is full\n    \
                 make room, or set HF_HOME to a folder on another disk; what has arrived is kept, and goes on from there",
                self.cache.0.display()
            )),
            _ => Error::io("write", path, e),
        }
    }
}

/// A content is not what the hub said it is.
pub(super) fn damaged(id: &Id, file: &str, expected: &str, found: &str) -> Error {
    Error::failed(format!(
        "{file} of {id} has the hash {found}, twice; expected {expected}\n    \
         a proxy or mirror changes it: set HF_ENDPOINT to another, or {}",
        by_hand(id)
    ))
}
