//! Texts that were encoded before: rows that occur several times, by weight or because they are repeated, cost once.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

const SHARDS: usize = 16;
/// Bytes of texts and ids in a shard; when they are reached, it begins anew.
const LIMIT: usize = 1 << 20;

/// What threads that encode side by side know of each other's texts: at most 16 MiB.
#[derive(Clone)]
pub(super) struct Memo {
    shards: Arc<[Mutex<Shard>; SHARDS]>,
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    known: HashMap<Box<str>, Box<[u32]>>,
    bytes: usize,
}

impl Default for Memo {
    fn default() -> Self {
        Self { shards: Arc::new(std::array::from_fn(|_| Mutex::default())), hasher: RandomState::new() }
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

impl Memo {
    /// The ids of a text, which `encode` gives if they are not known.
    pub fn get<E>(&self, text: &str, encode: impl FnOnce() -> Result<Vec<u32>, E>) -> Result<Vec<u32>, E> {
        let shard = &self.shards[self.hasher.hash_one(text) as usize % SHARDS];
        let lock = || shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ids) = lock().known.get(text) {
            return Ok(ids.to_vec());
        }
        let ids = encode()?;
        let bytes = text.len() + size_of_val(ids.as_slice());
        let mut shard = lock();
        if shard.bytes + bytes > LIMIT {
            *shard = Shard::default();
        }
        if bytes <= LIMIT && shard.known.insert(text.into(), ids.as_slice().into()).is_none() {
            shard.bytes += bytes;
        }
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_text_is_encoded_once_until_there_is_no_room() {
        let (memo, encoded) = (Memo::default(), Cell::new(0));
        let get = |text: &str, n: usize| {
            let encode = || {
                encoded.set(encoded.get() + 1);
                Ok::<_, ()>(vec![7; n])
            };
            assert_eq!(memo.get(text, encode).unwrap(), vec![7; n]);
            encoded.get()
        };
        assert_eq!([get("a", 3), get("a", 3), get("b", 1), get("a", 3)], [1, 1, 2, 2]);
        assert_eq!([get("huge", LIMIT), get("huge", LIMIT)], [3, 4]);
        for i in 0..1000 {
            get(&i.to_string(), 10_000);
        }
        let held = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            let bytes: usize = shard.known.iter().map(|(text, ids)| text.len() + 4 * ids.len()).sum();
            assert_eq!(bytes, shard.bytes);
            bytes
        };
        assert!(memo.shards.iter().all(|shard| held(shard) <= LIMIT));
        assert_eq!(memo.get("x", || Err(1)), Err(1));
    }
}
