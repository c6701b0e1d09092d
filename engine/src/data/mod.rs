//! The data pipeline: records → augmenters → prompt template → tokens → batches.
//!
//! [`load`] runs it all; its stages can be called one by one: [`records`] for what would be trained as text,
//! [`Template`] and [`Encoder`] for one record, [`Batches`] for the order of training, [`preview`] to look at it.

mod batch;
mod builtin;
mod chat;
mod compile;
mod corpus;
mod encode;
mod example;
mod fields;
mod gates;
mod jinja;
mod jinja_methods;
mod jinja_text;
mod pack;
mod preview;
mod random;
mod report;
mod source;
mod template;

pub use batch::{Batch, Batches, Epoch, Order};
pub use corpus::{Corpus, load};
pub use encode::{Encoded, Encoder, IGNORE, Sequence};
pub use example::{Example, Turn};
pub use fields::texts;
pub use gates::{Gate, gates};
pub use pack::{alone, pack};
pub use preview::{Marks, Preview, Shown, preview};
pub use report::{DataReport, DatasetReport, Lengths, SetReport};
pub use source::{Inputs, RecordSets, Source, records};
pub use template::Template;

#[cfg(test)]
mod test;
