//! Models, tokenizers and adapters from the Hugging Face hub, by their ids: `owner/name`, or `owner/name@revision`.
//!
//! [`resolve`] brings an id's small files (configuration, tokenizer) and returns the folder of that commit in the cache;
//! [`complete`] brings the weights, when they are needed. Both ask nobody for what is there already and cannot change.
//! Files are resumed where a download broke off, and are put in place only when their hash is the one that the hub
//! states. Nothing but what is named here is ever downloaded, and nothing pickled.

mod cache;
mod fetch;
mod hash;
#[cfg(feature = "http")]
mod http;
#[cfg(not(feature = "http"))]
#[path = "no_http.rs"]
mod http;
mod settings;
mod status;
#[cfg(all(test, feature = "http"))]
mod tests;
mod wrong;

pub use framework_base::id::{Id, Use};
pub use status::{Reach, Status, status};

use cache::Cache;
use fetch::{Failure, Listing};
use framework_base::{Error, Result, id};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

const CONFIG: &str = "config.json";
const ADAPTER: &str = "adapter_config.json";
const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Small files of models and tokenizers.
const SMALL: &[&str] = &[
    CONFIG,
    "generation_config.json",
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
];

/// Vocabularies, where there is no `tokenizer.json`.
const VOCABULARIES: &[&str] = &["vocab.txt", "vocab.json", "merges.txt", "tokenizer.model"];

/// Which files an id needs.
trait Files {
    fn small(self) -> Vec<&'static str>;
    fn essential(self) -> &'static [&'static str];
    fn weights(self) -> &'static [&'static str];
}

impl Files for Use {
    /// Files that are brought if they are there, in this order.
    fn small(self) -> Vec<&'static str> {
        match self {
            Use::Model => [SMALL, VOCABULARIES, &[INDEX]].concat(),
            Use::Tokenizer => [SMALL, VOCABULARIES].concat(),
            Use::Adapter => vec![ADAPTER],
        }
    }

    /// One of these must be there.
    fn essential(self) -> &'static [&'static str] {
        match self {
            Use::Model => &[CONFIG],
            Use::Tokenizer => &[TOKENIZER, "vocab.txt", "vocab.json", "tokenizer.model"],
            Use::Adapter => &[ADAPTER],
        }
    }

    /// One of these must be on the hub.
    fn weights(self) -> &'static [&'static str] {
        match self {
            Use::Model => &[WEIGHTS, INDEX],
            Use::Tokenizer => &[],
            Use::Adapter => &[ADAPTER_WEIGHTS],
        }
    }
}

/// What happens while files are downloaded, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Transfer<'a> {
    /// A file's download begins, or goes on.
    Begins {
        /// Whose file it is.
        id: &'a Id,
        /// The file.
        file: &'a str,
        /// Its bytes.
        size: u64,
        /// Those that were there before.
        done: u64,
    },
    /// Some of it has arrived.
    Goes {
        /// Whose file it is.
        id: &'a Id,
        /// The file.
        file: &'a str,
        /// The bytes that are there.
        done: u64,
    },
    /// All of it has arrived.
    Ends {
        /// Whose file it is.
        id: &'a Id,
        /// The file.
        file: &'a str,
    },
    /// Another process downloads the file.
    Waits {
        /// Whose file it is.
        id: &'a Id,
        /// The file.
        file: &'a str,
    },
}

type Observer = Box<dyn Fn(&Transfer) + Send + Sync>;
static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Tells of every download in this process. The first who asks is told.
pub fn observe(observer: impl Fn(&Transfer) + Send + Sync + 'static) {
    let _ = OBSERVER.set(Box::new(observer));
}

fn tell(transfer: &Transfer) {
    OBSERVER.get().inspect(|observer| observer(transfer));
}

/// A hub, a cache and the right to ask.
#[derive(Clone)]
struct Hub {
    /// Its address, without a slash at the end.
    endpoint: String,
    cache: Cache,
    /// Goes to the hub alone; is neither printed nor saved.
    token: Option<String>,
    offline: bool,
    /// The first pause between attempts.
    patience: Duration,
}

/// The folder of an id's commit, with its small files. Weights may be missing: see [`complete`].
pub fn resolve(id: &Id, purpose: Use) -> Result<PathBuf> {
    Hub::of_environment()?.resolve(id, purpose)
}

/// The folder that an argument names: one that is there, or that of an id, with everything in it.
pub fn folder(path: &Path, purpose: Use) -> Result<PathBuf> {
    let text = path.to_str().unwrap_or_default();
    let folder = match Id::parse(text).filter(|_| !path.exists() || text.starts_with("hf://")) {
        Some(id) if text.starts_with("hf://") || !id::has_parent(path) => resolve(&id, purpose)?,
        _ => return Ok(path.to_owned()),
    };
    complete(&folder, purpose)?;
    Ok(folder)
}

/// Brings the weights of a folder that [`resolve`] has returned. Other folders are left alone.
pub fn complete(folder: &Path, purpose: Use) -> Result<()> {
    let hub = Hub::of_environment()?;
    hub.cache.id_of(folder).map_or(Ok(()), |id| hub.complete(&id, folder, purpose))
}

/// What a model's weights would cost to download; none if there is nothing to download.
pub fn missing(folder: &Path) -> Result<Option<Missing>> {
    let hub = Hub::of_environment()?;
    hub.cache.id_of(folder).map_or(Ok(None), |id| hub.missing(&id, folder))
}

/// Whether there is nothing to download for a model's folder: it holds its weights, or is none of the cache's.
pub fn is_complete(folder: &Path) -> bool {
    id_of(folder).is_none() || absent(folder, Use::Model).is_ok_and(|names| names.is_empty())
}

/// The id, at its commit, whose folder in the cache this is.
pub fn id_of(folder: &Path) -> Option<Id> {
    Hub::of_environment().ok()?.cache.id_of(folder)
}

/// Weights that have not been downloaded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// Whose.
    pub id: String,
    /// Their bytes, if the hub can be asked.
    pub bytes: Option<u64>,
}

impl Hub {
    fn resolve(&self, id: &Id, purpose: Use) -> Result<PathBuf> {
        if let Some(commit) = id.commit().filter(|commit| self.is_resolved(id, commit, purpose)) {
            return Ok(self.cache.snapshot(id, commit));
        }
        if self.offline {
            return self.cached(id, purpose).ok_or_else(|| self.offline(id, purpose.essential()[0]));
        }
        let client = self.client(id)?;
        let listing = match self.listing(&client, id) {
            Ok(listing) => listing,
            Err(Failure::Unreachable(e)) => {
                let folder = self.cached(id, purpose).ok_or(e)?;
                tracing::warn!("cannot reach {}; {id} is taken as the cache has it", self.endpoint);
                return Ok(folder);
            }
            Err(Failure::Refused(e)) => return Err(e),
        };
        let commit = listing.commit.clone();
        for needed in [purpose.essential(), purpose.weights()].into_iter().filter(|needed| !needed.is_empty()) {
            if !needed.iter().any(|name| listing.has(name)) {
                return Err(self.lacks(id, needed[0], &listing.names()));
            }
        }
        for name in purpose.small() {
            let replaced =
                listing.has(TOKENIZER) && VOCABULARIES.contains(&name) || name == INDEX && listing.has(WEIGHTS);
            match listing.has(name) {
                true if replaced => {}
                true => self.bring(&client, id, &listing, name)?,
                false => self.cache.set_absent(id, &commit, name)?,
            }
        }
        self.cache.set_commit(id, &commit)?;
        Ok(self.cache.snapshot(id, &commit))
    }

    /// Whether all small files of a commit are there, or known not to be on the hub either.
    fn is_resolved(&self, id: &Id, commit: &str, purpose: Use) -> bool {
        let folder = self.cache.snapshot(id, commit);
        let has = |name: &str| folder.join(name).exists();
        let known = |name: &&str| {
            has(name)
                || self.cache.is_absent(id, commit, name)
                || VOCABULARIES.contains(name) && has(TOKENIZER)
                || *name == INDEX
        };
        purpose.essential().iter().any(|name| has(name)) && purpose.small().iter().all(known)
    }

    /// The folder of an id as it was when it was last asked for, if what matters is in it.
    fn cached(&self, id: &Id, purpose: Use) -> Option<PathBuf> {
        let folder = self.cache.snapshot(id, &self.cache.commit(id)?);
        purpose.essential().iter().any(|name| folder.join(name).exists()).then_some(folder)
    }

    fn complete(&self, id: &Id, folder: &Path, purpose: Use) -> Result<()> {
        if absent(folder, purpose)?.is_empty() {
            return Ok(());
        }
        if self.offline {
            return Err(self.offline(id, &absent(folder, purpose)?.join(", ")));
        }
        let client = self.client(id)?;
        let listing = self.listing(&client, id)?;
        if purpose == Use::Model && !listing.has(WEIGHTS) && listing.has(INDEX) {
            self.bring(&client, id, &listing, INDEX)?;
        }
        absent(folder, purpose)?.iter().try_for_each(|name| match listing.has(name) {
            true => self.bring(&client, id, &listing, name),
            false => Err(self.lacks(id, name, &listing.names())),
        })
    }

    fn missing(&self, id: &Id, folder: &Path) -> Result<Option<Missing>> {
        let names = absent(folder, Use::Model)?;
        if names.is_empty() {
            return Ok(None);
        }
        let listing: Option<Listing> = match self.offline {
            true => None,
            false => self.client(id).ok().and_then(|client| self.listing(&client, id).ok()),
        };
        let bytes = listing.and_then(|listing| names.iter().map(|name| listing.size(name)).sum());
        Ok(Some(Missing { id: id.to_string(), bytes }))
    }
}

/// The files of weights that a folder should have and has not.
fn absent(folder: &Path, purpose: Use) -> Result<Vec<String>> {
    let index = folder.join(INDEX);
    let names = match purpose {
        Use::Model if index.exists() && !folder.join(WEIGHTS).exists() => shards(&index)?,
        Use::Model => BTreeSet::from([WEIGHTS.to_owned()]),
        Use::Adapter => BTreeSet::from([ADAPTER_WEIGHTS.to_owned()]),
        Use::Tokenizer => BTreeSet::new(),
    };
    Ok(names.into_iter().filter(|name| !folder.join(name).exists()).collect())
}

/// The files that an index lists. Names that lead elsewhere are an error when the folder is opened, and no download.
fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let text = std::fs::read(index).map_err(|e| Error::io("read", index, e))?;
    let json: Value = serde_json::from_slice(&text).unwrap_or_default();
    let sound =
        |name: &&str| name.ends_with(".safetensors") && !name.starts_with('.') && !name.contains(['/', '\\', ':']);
    let names = json["weight_map"].as_object().into_iter().flat_map(|map| map.values());
    Ok(names.filter_map(Value::as_str).filter(sound).map(str::to_owned).collect())
}
