//! The only place that knows burn: devices, values, operators, gradients.

mod accuracy;
mod attention;
mod backend;
mod balance;
mod cache;
mod chain;
mod frame;
mod groups;
mod highest;
mod kernels;
mod layout;
mod loss;
mod network;
mod noise;
mod objective;
mod ops;
mod pass;
mod place;
mod precision;
mod probe;
mod random;
mod recurrent;
mod storage;
mod train;
mod transfer;
mod value;
pub mod working;

pub use accuracy::Evaluated;
pub use backend::{BackendInfo, BackendName, Device, backends};
pub use cache::Cache;
pub use highest::Wanted;
pub use kernels::{Kernel, Processor};
pub use loss::{Divergence, Tokens, TopK};
pub use network::{Network, Parts};
pub use objective::{Likelihoods, Objective, Teacher};
pub use precision::Precision;
pub use storage::{Raw, Storage, words_of_halves};
pub use train::{Grads, How};
pub use transfer::Transfers;
pub use value::Value;

#[cfg(all(test, feature = "wgpu"))]
mod device_tests;
#[cfg(test)]
mod test;
#[cfg(test)]
mod train_tests;
