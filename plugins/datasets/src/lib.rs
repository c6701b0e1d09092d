//! Dataset plugins that come with the framework, one file each.

mod conversation;
mod fields;
mod input;
mod instruction_csv;
mod instruction_json;
mod jsonl;
mod magazine_json;
mod numerals;
mod parquet;
mod poetry_corpus;
mod qa_xlsx;
mod rows;
mod text;
mod unused;

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
