//! Augmenter plugins that come with the framework, one file each.

mod deduplicate;
mod filter;
mod keep;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
