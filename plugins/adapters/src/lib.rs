//! Adapter plugins that come with the framework, one file each, and how they choose what to adapt.

mod full;
mod lora;
mod peft;
mod select;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
