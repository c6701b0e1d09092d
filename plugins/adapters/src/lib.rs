//! Adapter plugins that come with the framework, one file each.

mod full;
mod ia3;
mod lora;
mod p_tuning;
mod prefix_tuning;
mod prompt;
mod prompt_tuning;
mod qlora;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
