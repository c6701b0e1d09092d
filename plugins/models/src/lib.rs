//! Model architecture plugins that come with the framework, one file each.

mod pythia;
mod rope;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
