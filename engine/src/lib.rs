//! Runs recipes: from a recipe to sequences and to a network, and one module a task. The rooms that it stands on are
//! crates of their own, and are exported again here.

mod assemble;
mod blueprint;
mod cached;
mod catalog;
pub mod converse;
mod device;
pub mod evaluate;
pub mod export;
mod fit;
pub mod generate;
pub mod infer;
mod inherit;
mod init;
mod memory;
pub mod numeric;
pub mod plan;
pub mod prepare;
pub mod preview;
pub mod run;
mod session;
pub mod train;
mod train_tokenizer;
mod units;
mod unused;
mod vocabulary;

pub use assemble::{Source, build, from_folders, load_adapter, network};
pub use device::device;
pub use framework_base::{Error, Float, Place, Problem, Result, files, json, suggest};
pub use framework_executor as executor;
pub use framework_hub as hub;
pub use framework_recipe as recipe;
pub use framework_text::{Reader, data, tokenizer};
pub use framework_weights as weights;
pub use session::{PluginSources, Session};
pub use train_tokenizer::{Texts, train_tokenizer};
