//! A library that has nothing to do with the framework.

/// The answer.
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> u32 {
    42
}
