//! What the environment says about the hub, under the names that Python's `huggingface_hub` reads.

use super::{Cache, Hub, fetch::PATIENCE};
use framework_base::{Error, Problem, Result};
use std::{env, path::PathBuf};

fn text(name: &str) -> Option<String> {
    env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn is_set(name: &str) -> bool {
    text(name).is_some_and(|text| ["1", "on", "yes", "true"].contains(&text.to_ascii_lowercase().as_str()))
}

fn path(name: &str) -> Option<PathBuf> {
    let text = text(name)?;
    let path = match (text.strip_prefix("~/"), env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    };
    Some(std::path::absolute(&path).unwrap_or(path))
}

impl Hub {
    /// The hub of `HF_ENDPOINT`; the cache of `HF_HUB_CACHE` or `HF_HOME`; the token of `HF_TOKEN` or of
    /// `hf auth login`; nobody is asked with `HF_HUB_OFFLINE`.
    pub(super) fn of_environment() -> Result<Self> {
        let home = path("HF_HOME").or_else(|| Some(path("XDG_CACHE_HOME")?.join("huggingface")));
        let home = home.or_else(|| Some(env::home_dir()?.join(".cache/huggingface")));
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !["https://", "http://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            let message = format!("HF_ENDPOINT is {endpoint}; expected an address like https://huggingface.co");
            return Err(Error::invalid(Problem::new(message)));
        }
        let cache = path("HF_HUB_CACHE").or_else(|| Some(home.as_ref()?.join("hub")));
        let nowhere =
            || Error::invalid(Problem::new("there is no home folder for the cache of the hub").help("set HF_HOME"));
        let file = path("HF_TOKEN_PATH").or_else(|| Some(home?.join("token")));
        let saved = || Some(std::fs::read_to_string(file?).ok()?.trim().to_owned()).filter(|token| !token.is_empty());
        let token = match is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            true => None,
            false => text("HF_TOKEN").or_else(saved),
        };
        Ok(Self {
            endpoint,
            cache: Cache(cache.ok_or_else(nowhere)?),
            token,
            offline: is_set("HF_HUB_OFFLINE") || is_set("TRANSFORMERS_OFFLINE"),
            patience: PATIENCE,
        })
    }
}
