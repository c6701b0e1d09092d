//! Examples as they are trained, and whether they can be.

use crate::{
    data::{self, Marks, Progress, Template},
    error::{Problem, Result},
    recipe::Split,
    session::Session,
    train::{augmenters, encoder, inputs, sources, tokenizer},
};

/// Examples, what is wrong with them, and how many there are.
pub struct Preview {
    /// Text with the trained part marked.
    pub examples: Vec<String>,
    /// Data gates that do not hold.
    pub problems: Vec<Problem>,
    /// One line about the data.
    pub report: String,
}

/// Shows the first `show` training examples of a recipe; all of them pass the gates.
pub fn preview(session: &Session, show: usize, color: bool, progress: &mut dyn FnMut(Progress)) -> Result<Preview> {
    preview_of(session, show, color, progress).map_err(|e| session.placed(e))
}

fn preview_of(session: &Session, show: usize, color: bool, progress: &mut dyn FnMut(Progress)) -> Result<Preview> {
    let tokenizer = tokenizer(session)?;
    let template = Template::of(&session.recipe.prompt, &tokenizer)?;
    let (sources, augmenters) = (sources(session)?, augmenters(session)?);
    let encoder = encoder(session, &tokenizer, &template);
    let mut previewing = data::Previewing::new(show, if color { Marks::ANSI } else { Marks::PLAIN });
    let check = |set, record| {
        let failed = if set == Split::Train { Some(data::failed(&record, &encoder)?) } else { None };
        Ok((record, failed))
    };
    let report =
        data::each(&inputs(session, &sources, &augmenters), progress, check, &mut |_, counts, (record, failed)| {
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
        report: format!("{} training records, {} for validation", report.train.examples, report.validation.examples),
    })
}
