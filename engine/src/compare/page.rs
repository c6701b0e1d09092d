//! A comparison as a page in one file.

use super::{
    Comparison,
    table::{LEGEND, table},
};
use framework_report::{
    difference::{Piece, against},
    page::Page,
};

pub(super) fn of(comparison: &Comparison) -> String {
    let models = &comparison.models;
    let mut page = Page::new(&models.join(", "), &format!("compared on {} prompts", comparison.answers.len()));
    page.table(&[vec![String::new()], models.clone()].concat(), &table(comparison));
    page.paragraph(LEGEND);
    page.heading("Answers");
    page.paragraph("Marked is what the first model's answer does not have.");
    for row in &comparison.answers {
        let reference = row.reference.iter().map(|text| ("reference".to_owned(), Piece::whole(text)));
        let answers = models.iter().zip(&row.answers).enumerate().map(|(i, (model, answer))| {
            let pieces = if i == 0 { Piece::whole(answer) } else { against(&row.answers[0], answer) };
            (model.clone(), pieces)
        });
        page.marked_answers(&row.prompt, &reference.chain(answers).collect::<Vec<_>>());
    }
    page.finish()
}
