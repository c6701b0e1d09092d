//! Numbers by the definitions: runs models and adapters in 64 bits, without a backend, as plainly as it can be written.
//!
//! The kit of checks uses it, so that a plugin's own tests find what is wrong in its numbers with nothing but the SDK.
//! It is slow, and knows no training: derivatives are carried along with the numbers ([`Dual`]).

mod array;
mod attend;
mod host;
mod lanes;
mod layout;
mod number;
mod ops;
mod pass;
mod recur;
mod svd;

pub use array::Array;
pub use host::Reference;
pub use layout::Place;
pub use number::Dual;
