//! Augmenter plugins that come with the framework, one file each.

mod balance_types;
mod clean_html;
mod context_expansion;
mod copies;
mod deduplicate;
mod filter;
mod hash;
mod keep;
mod key_points;
mod normalize_text;
mod qa_pairs;
mod select_fields;
mod sentence_transform;
mod sites;
mod split;
mod synonyms;
mod texts;
mod words;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
