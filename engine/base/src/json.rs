//! JSON files of other programs and of people.

use serde::de::DeserializeOwned;

/// Reads JSON. Editors on Windows put a byte order mark first.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let read = |text: &str| super::from_slice::<Vec<u32>>(text.as_bytes()).unwrap();
        assert_eq!((read("[1]"), read("\u{feff}[1]")), (vec![1], vec![1]));
    }
}
