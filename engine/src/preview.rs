//! Examples as they are trained, and whether they can be.

use crate::{
    data::{self, Marks, Template},
    error::{Problem, Result},
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
pub fn preview(session: &Session, show: usize, color: bool) -> Result<Preview> {
    preview_of(session, show, color).map_err(|e| session.placed(e))
}

fn preview_of(session: &Session, show: usize, color: bool) -> Result<Preview> {
    let tokenizer = tokenizer(session)?;
    let template = Template::of(&session.recipe.prompt, &tokenizer)?;
    let (sources, augmenters) = (sources(session)?, augmenters(session)?);
    let records = data::records(&inputs(session, &sources, &augmenters))?;
    let encoder = encoder(session, &tokenizer, &template);
    let marks = if color { Marks::ANSI } else { Marks::PLAIN };
    let found = data::preview(&records.train, &encoder, show, marks)?;
    let shown = |s: &data::Shown| {
        let cut = if s.cut > 0 { format!(", {} cut off", s.cut) } else { String::new() };
        format!("{}\n[{} tokens, {} trained{cut}]", s.text, s.tokens, s.supervised)
    };
    Ok(Preview {
        examples: found.examples.iter().map(shown).collect(),
        problems: found.gates.iter().map(data::Gate::problem).collect(),
        report: format!("{} training records, {} for validation", records.train.len(), records.validation.len()),
    })
}
