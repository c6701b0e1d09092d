//! Optimizer plugins that come with the framework, one file each.

mod adafactor;
mod adamw;
mod adamw_8bit;
mod check;
mod decay;
mod lion;
mod muon;
mod sgd;

#[cfg(test)]
mod scalar;

#[cfg(test)]
mod tests {
    #[test]
    fn all_plugins_conform() {
        framework_sdk::test::all_plugins();
    }
}
