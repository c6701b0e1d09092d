//! Dataset plugins that come with the framework, one file each.

mod files;
mod instruction_csv;
mod text;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
