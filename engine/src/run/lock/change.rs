//! How two locks differ.

use super::{Hashes, Lock, LockedPlugin};
use framework_base::{Error, Problem, Result};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Something that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The recipe's key that leads to it, if there is one.
    pub key: Option<String>,
    /// What has changed.
    pub what: String,
    /// Hash or version in the lock; none if the lock does not have it.
    pub locked: Option<String>,
    /// Hash or version now; none if it is not there any more.
    pub now: Option<String>,
    /// Whether it is the program that has changed, not what it reads.
    pub program: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "`{key}`: ")?;
        }
        f.write_str(&self.sentence())
    }
}

impl Change {
    fn sentence(&self) -> String {
        match (&self.locked, &self.now) {
            (Some(locked), Some(now)) => {
                format!("{} is {} in the lock, and now {}", self.what, short(locked), short(now))
            }
            (Some(locked), None) => format!("{} is {} in the lock, and now missing", self.what, short(locked)),
            (None, now) => format!("{} is not in the lock; it is {}", self.what, short(now.as_deref().unwrap_or("-"))),
        }
    }
}

/// Enough of a hash to find it in a lock; versions are shorter.
fn short(value: &str) -> String {
    match value.char_indices().nth(16) {
        Some((end, _)) if value.len() == 64 => format!("{}…", &value[..end]),
        _ => value.to_owned(),
    }
}

impl Lock {
    /// What differs in another lock. What only reading the data shows is left out if the other does not have it yet.
    pub fn changes(&self, now: &Lock) -> Vec<Change> {
        let mut found = Vec::new();
        let mut note = |program: bool, key: Option<&str>, what: String, locked: Option<&str>, now: Option<&str>| {
            if locked != now {
                let (locked, now) = (locked.map(str::to_owned), now.map(str::to_owned));
                found.push(Change { key: key.map(str::to_owned), what, locked, now, program });
            }
        };
        note(true, None, "the version of the framework".into(), Some(&self.framework), Some(&now.framework));
        let find = |all: &[LockedPlugin], one: &LockedPlugin| {
            all.iter().find(|other| (&other.kind, &other.name) == (&one.kind, &one.name)).cloned()
        };
        let new = now.plugin.iter().filter(|plugin| find(&self.plugin, plugin).is_none());
        for plugin in self.plugin.iter().chain(new) {
            let (locked, now) = (find(&self.plugin, plugin), find(&now.plugin, plugin));
            let (locked, now) = (locked.as_ref(), now.as_ref());
            let label = format!("{} `{}`", plugin.kind, plugin.name);
            let mut all = |what: &str, of: fn(&LockedPlugin) -> Option<&str>| {
                note(true, None, format!("the {what} of {label}"), locked.and_then(of), now.and_then(of));
            };
            all("version", |plugin| Some(&plugin.version));
            if locked.is_some() && now.is_some() {
                all("origin", |plugin| Some(plugin.place()));
                all("library", |plugin| plugin.sha256.as_deref());
            }
        }
        let none = Hashes::new();
        for key in keys(&self.files, &now.files) {
            let [locked, now] = [&self.files, &now.files].map(|files| files.get(key).unwrap_or(&none));
            for name in keys(locked, now) {
                let get = |hashes: &'_ Hashes| hashes.get(name).cloned();
                note(false, Some(key), name.clone(), get(locked).as_deref(), get(now).as_deref());
            }
        }
        if !now.tokenizer.is_empty() && !self.tokenizer.is_empty() {
            for name in keys(&self.tokenizer, &now.tokenizer) {
                let get = |hashes: &'_ Hashes| hashes.get(name).cloned();
                let (locked, now) = (get(&self.tokenizer), get(&now.tokenizer));
                note(false, None, format!("the tokenizer's {name}"), locked.as_deref(), now.as_deref());
            }
        }
        if let (Some(locked), Some(now)) = (&self.template, &now.template) {
            note(false, Some("prompt.template"), "the template".into(), Some(locked), Some(now));
        }
        if let (Some(locked), Some(now)) = (&self.examples, &now.examples) {
            note(false, None, "the hash of the training tokens".into(), Some(&locked.train), Some(&now.train));
            let [locked, now] = [&locked.validation, &now.validation];
            note(false, None, "the hash of the validation tokens".into(), Some(locked), Some(now));
        }
        found
    }

    /// Refuses what differs from this lock.
    ///
    /// # Errors
    /// Everything that has changed: [`Error::Invalid`].
    pub fn require(&self, now: &Lock) -> Result<()> {
        let changes = self.changes(now);
        if changes.is_empty() {
            return Ok(());
        }
        let problem = |change: Change| {
            let problem = Problem::new(change.sentence());
            Problem {
                key: change.key,
                ..problem.help("Put it back, or train without --locked, which writes a new lock.")
            }
        };
        Err(Error::Invalid(changes.into_iter().map(problem).collect()))
    }
}

/// The keys of either.
fn keys<'a, V>(a: &'a BTreeMap<String, V>, b: &'a BTreeMap<String, V>) -> BTreeSet<&'a String> {
    a.keys().chain(b.keys()).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Examples, *};

    fn lock() -> Lock {
        let hashes = |names: &[&str]| names.iter().map(|name| (name.to_string(), "0".repeat(64))).collect();
        let plugin = |name: &str| LockedPlugin {
            kind: "optimizer".into(),
            name: name.into(),
            version: "0.1.0".into(),
            origin: "from /a/liblion.so".into(),
            sha256: Some("1".repeat(64)),
        };
        Lock {
            framework: "0.1.0".into(),
            template: Some("a".repeat(64)),
            tokenizer: hashes(&["tokenizer.json"]),
            examples: Some(Examples { train: "b".repeat(64), validation: "c".repeat(64) }),
            files: [("dataset.0.path".to_owned(), hashes(&["a.csv", "b.csv"]))].into(),
            plugin: vec![plugin("lion"), plugin("adamw")],
        }
    }

    #[test]
    fn everything_that_differs_is_told() {
        let (locked, mut now) = (lock(), lock());
        now.framework = "0.2.0".into();
        now.plugin[0].version = "0.2.0".into();
        now.plugin[0].sha256 = Some("2".repeat(64));
        now.plugin[1].name = "sgd".into();
        now.template = Some("d".repeat(64));
        now.tokenizer.insert("tokenizer.json".into(), "e".repeat(64));
        now.examples.as_mut().unwrap().train = "f".repeat(64);
        let files = now.files.get_mut("dataset.0.path").unwrap();
        files.remove("a.csv");
        files.insert("c.csv".into(), "9".repeat(64));
        let shown: Vec<_> = locked.changes(&now).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        the version of the framework is 0.1.0 in the lock, and now 0.2.0
        the version of optimizer `lion` is 0.1.0 in the lock, and now 0.2.0
        the library of optimizer `lion` is 1111111111111111… in the lock, and now 2222222222222222…
        the version of optimizer `adamw` is 0.1.0 in the lock, and now missing
        the version of optimizer `sgd` is not in the lock; it is 0.1.0
        `dataset.0.path`: a.csv is 0000000000000000… in the lock, and now missing
        `dataset.0.path`: c.csv is not in the lock; it is 9999999999999999…
        the tokenizer's tokenizer.json is 0000000000000000… in the lock, and now eeeeeeeeeeeeeeee…
        `prompt.template`: the template is aaaaaaaaaaaaaaaa… in the lock, and now dddddddddddddddd…
        the hash of the training tokens is bbbbbbbbbbbbbbbb… in the lock, and now ffffffffffffffff…
        ");
        assert_eq!(locked.changes(&now).iter().filter(|change| change.program).count(), 5);
        assert!(locked.require(&now).unwrap_err().to_string().ends_with("which writes a new lock."));
    }

    /// Where a library lies does not matter, nor does what is not known yet.
    #[test]
    fn the_same_is_the_same_elsewhere() {
        let (locked, mut now) = (lock(), lock());
        now.plugin[0].origin = "from /b/liblion.so".into();
        assert_eq!((locked.changes(&now), locked.fingerprint()), (Vec::new(), now.fingerprint()));
        (now.template, now.examples) = (None, None);
        now.tokenizer.clear();
        locked.require(&now).unwrap();
        assert_ne!(locked.fingerprint(), now.fingerprint());
        let again: Lock = toml::from_str(&locked.to_toml()).unwrap();
        assert_eq!(again, locked);
    }
}
