//! What would be trained, as a file.

use crate::{
    build::blueprint,
    pipeline::{augmenters, encoder, inputs, sources, template, tokenizer, vocabulary},
    run::read_files,
    session::Session,
};
use framework_base::files::atomically;
use framework_base::{Error, Problem, Result};
use framework_core::Record;
use framework_recipe::Split;
use framework_text::data::{
    self, Apart, DataReport, Example, Outcome, Progress, SetReport, apart,
    write::{Format, Row, rows},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What of the examples is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Records as they come out of the augmenters.
    #[default]
    Records,
    /// What the prompt template makes of them: `prompt` and `response`, or `text`; `turns` and `rest` of conversations
    /// with several trained messages.
    Text,
    /// `input_ids` and `labels`, as transformers' trainer takes them.
    Tokens,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// The file.
    pub file: PathBuf,
    /// What of the examples is in it.
    pub form: Form,
    /// Its rows.
    pub rows: usize,
    /// Its bytes.
    pub bytes: u64,
    /// What was read, made and dropped on the way.
    pub data: DataReport,
}

/// The field of each row that says what it is for.
const SPLIT: &str = "split";

/// Writes what a recipe would train into a file, which appears when it is whole; its name says the format. Every row
/// has a field `split`, `train` or `validation`.
///
/// Nothing is held but a few rows. The tokenizer is read only where it is needed, and the model only for its number of
/// tokens, where tokens are written.
pub fn prepare(session: &Session, to: &Path, form: Form, progress: &mut dyn FnMut(Progress)) -> Result<Written> {
    let format = Format::of(to)?;
    refuse(session, to)?;
    let data = write(session, to, format, form, progress).map_err(|e| session.placed(e))?;
    let bytes = std::fs::metadata(to).map_err(|e| Error::io("read", to, e))?.len();
    Ok(Written { file: to.to_owned(), form, rows: data.train.kept + data.validation.kept, bytes, data })
}

fn write(
    session: &Session,
    to: &Path,
    format: Format,
    form: Form,
    progress: &mut dyn FnMut(Progress),
) -> Result<DataReport> {
    let (sources, augmenters) = Error::both(sources(session), augmenters(session))?;
    let inputs = inputs(session, &sources, &augmenters);
    let tokens = match form {
        Form::Records => None,
        Form::Text | Form::Tokens => {
            let tokenizer = tokenizer(session).map_err(|e| e.about("tokenizer"))?;
            Some((template(session, &tokenizer)?, tokenizer))
        }
    };
    let (mut data, mut apart) = (DataReport::default(), Apart::default());
    atomically(to, |bytes| {
        let mut rows = rows(format, to, bytes)?;
        data = match (&tokens, form) {
            (Some((template, tokenizer)), Form::Tokens) => {
                let encoder = encoder(session, tokenizer, template);
                // Tokens are of use to this model alone. What is wrong with the model itself, check and train say.
                let spec = blueprint::spec(session).ok();
                let ready = |sequence, split| {
                    let known = spec.as_ref().map(|spec| vocabulary::covers(spec.vocab_size, tokenizer, [&sequence]));
                    known.unwrap_or(Ok(()))?;
                    format.ready(Row::Tokens(sequence, split))
                };
                data::sequences(&inputs, &encoder, progress, ready, &mut |_, row| rows.put(row))?
            }
            (Some((template, _)), _) => {
                let texts = |split, record: Record| {
                    let row = |example: Example| {
                        let (text, empty) = (matches!(example, Example::Text(_)), example.is_empty());
                        let unused = example.unused().to_vec();
                        let row = text_row(example);
                        let hash = apart::of(&row);
                        Ok((format.ready(Row::Record(record_row(row, split)?))?, hash, text, empty, unused))
                    };
                    Outcome::of(template.examples(&record), |made| {
                        made.into_iter().map(row).collect::<Result<Vec<_>>>()
                    })
                };
                data::each(&inputs, progress, texts, &mut |split, report, made| {
                    made.into_iter().try_for_each(|(row, hash, text, empty, unused)| {
                        report.lacks(&unused);
                        if !count(report, apart.keeps(split, hash)) {
                            return Ok(());
                        }
                        report.texts += usize::from(text);
                        report.empty_responses += usize::from(empty);
                        rows.put(row)
                    })
                })?
            }
            (None, _) => {
                let row = |split, record| {
                    let hash = apart::of(&record);
                    Ok(Outcome::Made((format.ready(Row::Record(record_row(record, split)?))?, hash)))
                };
                data::each(&inputs, progress, row, &mut |split, report, (row, hash)| {
                    if count(report, apart.keeps(split, hash)) { rows.put(row) } else { Ok(()) }
                })?
            }
        };
        if data.train.kept + data.validation.kept == 0 {
            return Err(data.nothing_left());
        }
        rows.finish()
    })?;
    Ok(data)
}

/// Counts a row; whether it is written.
fn count(report: &mut SetReport, apart: bool) -> bool {
    report.examples += 1;
    report.kept += usize::from(apart);
    report.dropped_in_validation += usize::from(!apart);
    apart
}

/// Refuses files that cannot be made, or that the recipe reads.
fn refuse(session: &Session, to: &Path) -> Result<()> {
    let wrong = |message: String, help: &str| Err(Error::invalid(Problem::new(message).key("--to").help(help)));
    let folder = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if to.is_dir() {
        return wrong(format!("{} is a folder", to.display()), "Name a file in it.");
    }
    if !folder.is_dir() {
        return wrong(format!("there is no folder {}", folder.display()), "Make it, or name another.");
    }
    let (Ok(place), Some(name)) = (folder.canonicalize(), to.file_name()) else { return Ok(()) };
    let place = place.join(name);
    let reads = read_files(session)?;
    if reads.iter().any(|file| file.canonicalize().is_ok_and(|file| file == place)) {
        return wrong(format!("the recipe reads {}", to.display()), "Write another file.");
    }
    Ok(())
}

fn name(split: Split) -> &'static str {
    if split == Split::Train { "train" } else { "validation" }
}

/// A record that says what it is for. What an earlier `prepare` said of it is replaced.
fn record_row(mut record: Record, split: Split) -> Result<Record> {
    match record.get(SPLIT) {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if [Split::Train, Split::Validation].map(name).contains(&text.as_str()) => {}
        Some(other) => {
            let message = format!("the record has a field `{SPLIT}` of its own, {other}, where what it is for goes");
            let help = "Rename it with the dataset's `columns`, or write --as text or --as tokens.";
            return Err(Error::invalid(Problem::new(message).help(help)));
        }
    }
    record.insert(SPLIT.into(), name(split).into());
    Ok(record)
}

/// An example's text.
fn text_row(example: Example) -> Record {
    let mut row = Record::new();
    match example {
        Example::Text(text) => _ = row.insert("text".into(), text.into()),
        Example::Turns { mut turns, rest } if turns.len() == 1 && rest.is_empty() => {
            let turn = turns.remove(0);
            row.insert("prompt".into(), turn.prompt.into());
            row.insert("response".into(), turn.response.into());
        }
        Example::Turns { turns, rest } => {
            let turn = |turn: data::Turn| json!({ "prompt": turn.prompt, "response": turn.response });
            row.insert("turns".into(), turns.into_iter().map(turn).collect());
            row.insert("rest".into(), rest.into());
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: Value) -> Record {
        fields.as_object().unwrap().clone()
    }

    #[test]
    fn a_split_of_the_records_own_is_not_lost() {
        let row = |fields| record_row(record(fields), Split::Validation);
        let expected = record(json!({ "split": "validation", "a": 1 }));
        assert_eq!(row(json!({ "split": "train", "a": 1 })).unwrap(), expected);
        assert_eq!(row(json!({ "split": null, "a": 1 })).unwrap(), expected);
        for own in [json!("test"), json!(3)] {
            let e = row(json!({ "split": own })).unwrap_err();
            assert!(e.exit_code() == 2 && e.to_string().contains("columns"), "{e}");
        }
    }

    #[test]
    fn texts_of_each_kind() {
        let turn = |n: u32| data::Turn { prompt: format!("p{n}"), response: format!("r{n}"), ..Default::default() };
        let row = |example| Value::Object(text_row(example));
        let turns = |turns, rest: &str| Example::Turns { turns, rest: rest.into() };
        assert_eq!(row(turns(vec![turn(1)], "")), json!({"prompt": "p1", "response": "r1"}));
        assert_eq!(row(Example::Text("t".into())), json!({"text": "t"}));
        let several = json!([{"prompt": "p1", "response": "r1"}, {"prompt": "p2", "response": "r2"}]);
        assert_eq!(row(turns(vec![turn(1), turn(2)], "!")), json!({"turns": several, "rest": "!"}));
    }
}
