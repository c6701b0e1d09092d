//! Built with the SDK, and registers nothing.

pub use framework_sdk::prelude;
