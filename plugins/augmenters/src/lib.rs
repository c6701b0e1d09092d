//! Augmenter plugins that come with the framework, one file each.

mod clean_html;
mod deduplicate;
mod filter;
mod keep;
mod key_points;
mod normalize_text;
mod qa_pairs;
mod texts;
mod words;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
