//! Dataset plugins that come with the framework, one file each.

mod conversation;
mod fields;
mod instruction_csv;
mod instruction_json;
mod jsonl;
mod magazine_json;
mod numerals;
mod parquet;
mod poetry_corpus;
mod qa_xlsx;
mod text;
mod unused;

use framework_sdk::input::{self, rows};

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod valid;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
