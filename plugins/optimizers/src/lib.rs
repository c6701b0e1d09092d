//! Optimizer plugins that come with the framework, one file each.

mod adamw;
mod check;
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
