//! Examples as they are trained, and whether they can be.

use crate::{
    pipeline::{augmenters, encoder, inputs, sources, tokenizer},
    session::Session,
};
use framework_base::{Problem, Result};
use framework_recipe::Split;
use framework_text::data::{self, Marks, Progress, Template};

/// Examples, what is wrong with them, and how many there are.
pub struct Preview {
    /// Text with the trained part marked.
    pub examples: Vec<String>,
    /// Data gates that do not hold.
    pub problems: Vec<Problem>,
    /// One line about the data.
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
    let template = Template::of(&session.recipe.prompt, &tokenizer)?;
    let (sources, augmenters) = (sources(session)?, augmenters(session)?);
    let encoder = encoder(session, &tokenizer, &template);
    let mut previewing = data::Previewing::new(show, if color { Marks::ANSI } else { Marks::PLAIN });
    let check = |set, record| {
        let failed = if set == Split::Train { Some(data::failed(&record, &encoder)?) } else { None };
        Ok((record, failed))
    };
    let report = data::each_of(&inputs(session, &sources, &augmenters), most, progress, check, &mut |_,
                                                                                                     counts,
                                                                                                     (
        record,
        failed,
    )| {
        counts.examples += 1;
        failed.map_or(Ok(()), |failed| previewing.add(&record, failed, &encoder))
    })?;
    let found = previewing.done();
    let shown = |s: &data::Shown| {
        let cut = if s.cut > 0 { format!(", {} cut off", s.cut) } else { String::new() };
        format!("{}\n[{} tokens, {} trained{cut}]", s.text, s.tokens, s.supervised)
    };
    Ok(Preview {
        examples: found.examples.iter().map(shown).collect(),
        problems: found.gates.iter().map(data::Gate::problem).collect(),
        report: told(&report, most),
    })
}

/// How many records there are, or were looked at.
fn told(report: &data::DataReport, most: usize) -> String {
    let (train, validation) = (report.train.examples, report.validation.examples);
    match train.max(validation) < most {
        true => format!("{train} training records, {validation} for validation"),
        false => format!("the first {train} training records were checked; --all checks every record"),
    }
}
