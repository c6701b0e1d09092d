//! The data pipeline: records → augmenters → prompt template → tokens → batches.
//!
//! [`load`] runs it all; its stages can be called one by one: [`records`] for what would be trained as text,
//! [`Template`] and [`Encoder`] for one record, [`Batches`] for the order of training, [`preview`] to look at it.

mod batch;
mod builtin;
mod chat;
mod corpus;
mod encode;
mod fields;
mod gates;
mod jinja;
mod jinja_methods;
mod jinja_text;
mod preview;
mod random;
mod report;
mod source;
mod template;

pub use batch::{Batch, Batches, Epoch, Order};
pub use corpus::{Corpus, load};
pub use encode::{Encoded, Encoder, IGNORE, Sequence};
pub use fields::texts;
pub use gates::{Gate, gates};
pub use preview::{Marks, Preview, Shown, preview};
pub use report::{DataReport, DatasetReport, Lengths, SetReport};
pub use source::{Inputs, RecordSets, Source, records};
pub use template::{Example, Template, Turn};

#[cfg(test)]
mod test;
