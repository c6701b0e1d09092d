//! The data pipeline: records → augmenters → prompt template → tokens → batches.
//!
//! [`load`] runs it all; its stages can be called one by one: [`records`] for what would be trained as text,
//! [`Template`] and [`Encoder`] for one record, [`Batches`] for the order of training, [`preview`] to look at it.

mod answer;
pub mod apart;
mod batch;
mod builtin;
pub mod cache;
mod chat;
mod compile;
mod conversation;
mod corpus;
mod encode;
mod example;
mod fields;
mod flow;
mod gates;
mod histogram;
mod jinja;
mod jinja_filters;
mod jinja_methods;
mod jinja_source;
mod jinja_text;
mod pack;
mod passes;
mod portable;
mod preference;
mod preview;
mod random;
mod reading;
mod refused;
mod report;
mod source;
mod spans;
mod template;
mod unused;
pub mod write;

pub use apart::Apart;
pub use batch::{Batches, Epoch, Order};
pub use corpus::{Corpus, Progress, load};
pub use corpus::{each, each_of, sequences};
pub use encode::{Encoded, Encoder};
pub use example::{Example, Turn};
pub use fields::texts;
pub use framework_base::{Batch, IGNORE, Sequence};
pub use gates::{Gate, gates};
pub use gates::{Looked, look};
pub use histogram::Histogram;
pub use pack::{alone, pack};
pub use portable::chat_template;
pub use preview::Previewing;
pub use preview::{Marks, Preview, Shown, preview};
pub use refused::Outcome;
pub use report::{DataReport, DatasetReport, Lengths, Noted, SetReport, StageReport};
pub use source::{DataSource, Inputs, RecordSets, Stage, records, with_texts};
pub use template::Template;

#[cfg(test)]
pub(crate) mod test;
