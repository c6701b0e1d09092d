//! What the hub says a file's content is, and whether it is.

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A file's hash as the hub states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hash {
    /// Of large files: SHA-256.
    Sha256(String),
    /// Of small files: what git names them by, SHA-1 of their length and content.
    Git(String),
}

impl Hash {
    /// What an entity tag tells; none if it is no hash that can be checked.
    pub fn of_etag(etag: &str) -> Option<Self> {
        let hexadecimal = etag.bytes().all(|b| b.is_ascii_hexdigit());
        match etag.len() {
            64 if hexadecimal => Some(Hash::Sha256(etag.to_ascii_lowercase())),
            40 if hexadecimal => Some(Hash::Git(etag.to_ascii_lowercase())),
            _ => None,
        }
    }

    /// Begins to check a content of so many bytes.
    pub fn check(&self, length: u64) -> Check {
        match self {
            Hash::Sha256(expected) => Check { expected: expected.clone(), state: State::Sha256(Sha256::new()) },
            Hash::Git(expected) => {
                let mut state = Sha1::new();
                state.update(format!("blob {length}\0"));
                Check { expected: expected.clone(), state: State::Git(state) }
            }
        }
    }
}

/// A check that is under way.
pub(super) struct Check {
    expected: String,
    state: State,
}

enum State {
    Sha256(Sha256),
    Git(Sha1),
}

impl Check {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha256(state) => state.update(bytes),
            State::Git(state) => state.update(bytes),
        }
    }

    /// Whether the content was the expected one; if not, expected and found.
    pub fn finish(self) -> Result<(), (String, String)> {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let found = match self.state {
            State::Sha256(state) => hex(&state.finalize()),
            State::Git(state) => hex(&state.finalize()),
        };
        if found == self.expected { Ok(()) } else { Err((self.expected, found)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `git hash-object` and `sha256sum` say of `hello\n`.
    #[test]
    fn known_hashes() {
        for known in [
            "ce013625030ba8dba906f756967f9e9ca394464a",
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        ] {
            let hash = Hash::of_etag(known).unwrap();
            let mut check = hash.check(6);
            check.update(b"hel");
            check.update(b"lo\n");
            assert_eq!(check.finish(), Ok(()));
            let mut check = hash.check(6);
            check.update(b"hallo\n");
            assert_eq!(check.finish().unwrap_err().0, known);
        }
        assert_eq!(Hash::of_etag("d41d8cd98f00b204e9800998ecf8427e"), None);
    }
}
