//! Runs recipes on burn: executor, weights, data pipeline, trainer, generation, evaluation.

mod assemble;
mod blueprint;
mod cached;
mod catalog;
pub mod converse;
pub mod data;
mod error;
pub mod evaluate;
pub mod executor;
pub mod export;
mod files;
mod fit;
pub mod generate;
pub mod hub;
pub mod infer;
mod inherit;
mod init;
mod memory;
pub mod numeric;
pub mod plan;
pub mod prepare;
pub mod preview;
pub mod recipe;
pub mod run;
mod session;
pub mod tokenizer;
pub mod train;
mod train_tokenizer;
mod units;
mod unused;
mod vocabulary;
pub mod weights;

pub use assemble::{Source, build, from_folders, load_adapter, network};
pub use error::{Error, Place, Problem, Result};
pub use session::{PluginSources, Session};
pub use train_tokenizer::{Texts, train_tokenizer};
