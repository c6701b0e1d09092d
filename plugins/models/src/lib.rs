//! Model architecture plugins that come with the framework, one file each.

mod gemma;
mod gpt2;
mod llama;
mod mistral;
mod mixtral;
mod phi3;
mod pythia;
mod qwen;
#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
