//! Decoder plugins that come with the framework, one file each.

mod beam;
mod chains;
mod greedy;
mod top_p;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
