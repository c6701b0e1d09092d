//! The Rust code of the README and of the book, compiled and run as tests.

#[doc = include_str!("../../README.md")]
mod readme {}

#[doc = include_str!("../../docs/src/plugins/overview.md")]
mod overview {}

#[doc = include_str!("../../docs/src/plugins/dataset.md")]
mod dataset {}

#[doc = include_str!("../../docs/src/plugins/augmenter.md")]
mod augmenter {}

#[doc = include_str!("../../docs/src/plugins/model.md")]
mod model {}

#[doc = include_str!("../../docs/src/plugins/adapter.md")]
mod adapter {}

#[doc = include_str!("../../docs/src/plugins/optimizer.md")]
mod optimizer {}

#[doc = include_str!("../../docs/src/plugins/decoder.md")]
mod decoder {}

#[doc = include_str!("../../docs/src/plugins/needs.md")]
mod needs {}

#[doc = include_str!("../../docs/src/plugins/growing.md")]
mod growing {}
