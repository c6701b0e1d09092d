//! What a dataset reads and does not give.

use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};

/// Distinct reasons that are kept apart; further ones are counted together.
const REASONS: usize = 10;

/// Where a dataset reports the rows and fields that it leaves out, so that `check` and `prepare` can count them.
///
/// Clones share one list. Reasons are counted: give the same text for the same kind of fault, without the place.
#[derive(Debug, Clone, Default)]
pub struct Skipped(Arc<Mutex<Vec<Omission>>>);

/// Rows or fields that a dataset left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Omission {
    /// Why, or the field's name.
    pub reason: String,
    /// Where the first of them stands; empty for fields.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub first: String,
    /// How many rows.
    pub rows: u64,
    /// Whether `reason` names a field, and the rows are given without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub field: bool,
}

impl Skipped {
    /// A row is left out for `reason`; `place` says where it stands, as `file:line`.
    pub fn row(&self, reason: impl Into<String>, place: impl ToString) {
        self.add([Omission { reason: reason.into(), first: place.to_string(), rows: 1, field: false }]);
    }

    /// A row is given without the field `name`, which its authors may have meant to be trained.
    pub fn field(&self, name: impl Into<String>) {
        self.add([Omission { reason: name.into(), first: String::new(), rows: 1, field: true }]);
    }

    /// Adds what was left out elsewhere.
    pub fn add(&self, omissions: impl IntoIterator<Item = Omission>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for new in omissions {
            let same = |old: &&mut Omission| old.field == new.field && old.reason == new.reason;
            if let Some(old) = all.iter_mut().find(same) {
                old.rows += new.rows;
            } else if all.len() < REASONS {
                all.push(new);
            } else {
                let reason = "other reasons".to_owned();
                match all.iter_mut().find(|old| !old.field && old.reason == reason) {
                    Some(old) => old.rows += new.rows,
                    None => all.push(Omission { reason, field: false, ..new }),
                }
            }
        }
    }

    /// What has been left out so far, in the order of its first occurrence.
    #[must_use]
    pub fn all(&self) -> Vec<Omission> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What has been left out so far, in the order of its first occurrence; the list is empty afterwards.
    #[must_use]
    pub fn take(&self) -> Vec<Omission> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_limited() {
        let skipped = Skipped::default();
        skipped.row("empty", "a:1");
        skipped.clone().row("empty", "a:2");
        skipped.field("empty");
        for i in 0..20 {
            skipped.row(format!("reason {i}"), format!("a:{}", 3 + i));
        }
        let all = skipped.take();
        assert_eq!((all.len(), all[0].rows, all[0].first.as_str()), (11, 2, "a:1"));
        assert!(all[1].field);
        assert_eq!((all[10].reason.as_str(), all[10].rows, all[10].first.as_str()), ("other reasons", 12, "a:11"));
        assert!(skipped.take().is_empty());
    }
}
