//! Records: what datasets yield, augmenters change and prompt templates read.

use crate::Result;

/// One row of data: a JSON object.
///
/// By convention `instruction`, `input` and `output` hold a task and its answer, `messages` a conversation, and `text`
/// something to be learned as it stands.
pub type Record = serde_json::Map<String, serde_json::Value>;

/// A stream of records. It ends at the first error.
pub type Records = Box<dyn Iterator<Item = Result<Record>> + Send>;

/// Applies `f` to every record of a stream, for augmenters that look at one record at a time.
pub fn each(records: Records, mut f: impl FnMut(Record) -> Result<Vec<Record>> + Send + 'static) -> Records {
    Box::new(records.flat_map(move |record| match record.and_then(&mut f) {
        Ok(out) => out.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(e) => vec![Err(e)],
    }))
}
