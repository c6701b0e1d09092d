//! Examples as they are trained, and whether they can be.

use crate::{
    build::blueprint,
    pipeline::{augmenters, encoder, inputs, sources, template, tokenizer, vocabulary},
    session::Session,
};
use framework_base::{Error, Problem, Result};
use framework_recipe::Split;
use framework_text::data::{self, Marks, Outcome, Progress};

/// Examples, what is wrong with them, and how many there are.
pub struct Preview {
    /// Text with the trained part marked.
    pub examples: Vec<String>,
    /// Data gates that do not hold, and tokens that the model does not know.
    pub problems: Vec<Problem>,
    /// A line about the data, and one for each thing that is left out of it.
    pub report: String,
}

/// Records of each set that are looked at, unless all are asked for.
pub const SOME: usize = 1024;

/// How much is shown and looked at.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Training examples that are shown.
    pub show: usize,
    /// Records of each set that pass the gates.
    pub most: usize,
    /// Whether what is trained is green, for terminals.
    pub color: bool,
}

/// Shows the first training examples of a recipe, and what would go wrong with those that are looked at.
pub fn preview(session: &Session, options: Options, progress: &mut dyn FnMut(Progress)) -> Result<Preview> {
    preview_of(session, options, progress).map_err(|e| session.placed(e))
}

fn preview_of(session: &Session, options: Options, progress: &mut dyn FnMut(Progress)) -> Result<Preview> {
    let Options { show, most, color } = options;
    let most = most.max(show);
    let tokenizer = tokenizer(session)?;
    let template = template(session, &tokenizer)?;
    let (sources, augmenters) = (sources(session)?, augmenters(session)?);
    let encoder = encoder(session, &tokenizer, &template);
    let mut previewing = data::Previewing::new(show, if color { Marks::ANSI } else { Marks::PLAIN });
    // What is wrong with the model itself, check and train say.
    let vocab = blueprint::spec(session).ok().map(|spec| spec.vocab_size);
    let check = |set, record| match set {
        Split::Train => Outcome::of(data::look(&record, &encoder), |looked| {
            let covers = |vocab| vocabulary::covers(vocab, &tokenizer, &looked.sequences);
            let known = vocab.map_or(Ok(()), covers);
            Ok((record, Some((looked.failed, looked.unused, known))))
        }),
        Split::Validation => Ok(Outcome::Made((record, None))),
    };
    let mut unknown = Vec::new();
    let inputs = inputs(session, &sources, &augmenters);
    let report = data::each_of(&inputs, most, progress, check, &mut |_, counts, (record, looked)| {
        counts.examples += 1;
        let Some((failed, unused, known)) = looked else { return Ok(()) };
        counts.lacks(&unused);
        match known {
            Err(Error::Invalid(problems)) if unknown.is_empty() => unknown = problems,
            _ => {}
        }
        previewing.add(&record, failed, &encoder)
    })?;
    let found = previewing.done();
    let shown = |s: &data::Shown| {
        let cut = if s.cut > 0 { format!(", {} cut off", s.cut) } else { String::new() };
        format!("{}\n[{} tokens, {} trained{cut}]", s.text, s.tokens, s.supervised)
    };
    let placed = match session.placed(Error::Invalid(unknown)) {
        Error::Invalid(problems) => problems,
        Error::Failed(_) => Vec::new(),
    };
    Ok(Preview {
        examples: found.examples.iter().map(shown).collect(),
        problems: found.gates.iter().map(data::Gate::problem).chain(placed).collect(),
        report: told(&report, most),
    })
}

/// How many records there are, or were looked at.
fn told(report: &data::DataReport, most: usize) -> String {
    let (train, validation) = (report.train.examples, report.validation.examples);
    let refused: usize = report.train.refused.iter().map(|noted| noted.rows).sum();
    let line = match (train + refused).max(validation) < most {
        true => format!("{train} training records, {validation} for validation"),
        false => format!("the first {} training records were checked; --all checks every record", train + refused),
    };
    report.noted().fold(line, |lines, line| lines + "\n" + &line)
}
