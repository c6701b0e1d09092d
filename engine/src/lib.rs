//! Runs recipes: from a recipe to sequences and to a network, and one module a task. The rooms that it stands on are
//! crates of their own, and are exported again here.

mod budget;
mod build;
mod catalog;
pub mod compare;
pub mod doctor;
pub mod evaluate;
mod evaluation;
pub mod export;
pub mod generate;
pub mod generation;
pub mod numeric;
mod objective;
mod open;
mod pipeline;
pub mod plan;
pub mod prepare;
pub mod preview;
pub mod report;
pub mod run;
pub mod runs;
mod save;
pub mod schedule;
pub mod scoring;
mod session;
mod states;
pub mod train;
mod train_tokenizer;
mod trained;
mod units;
mod unused;

pub use build::{ModelSource, Placement, build, from_folders, load_adapter, network};
pub use evaluation::Evaluation;
pub use framework_base::{Error, Float, Place, Problem, Result, files, json, memory, suggest};
pub use framework_executor as executor;
pub use framework_hub as hub;
pub use framework_recipe as recipe;
pub use framework_text::{Reader, data, tokenizer};
pub use framework_weights as weights;
pub use session::{PluginSources, Session};
pub use train_tokenizer::{Texts, train_tokenizer};
