//! A comparison as Markdown, which a terminal shows as well.

use super::{
    Comparison,
    table::{LEGEND, table},
};
use framework_report::difference::against;
use std::fmt::Write;

/// Tables, then at most so many prompts with their answers. Words that the first model does not have are bold.
pub(super) fn of(comparison: &Comparison, most: usize) -> String {
    let mut text = String::new();
    let head = [vec![String::new()], comparison.models.clone()].concat();
    let rows = [vec![head], table(comparison)].concat();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..=comparison.models.len()).map(width).collect();
    for (i, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} ")).collect();
        let _ = writeln!(text, "|{}|", cells.join("|"));
        if i == 0 {
            let rule: Vec<_> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
            let _ = writeln!(text, "|{}|", rule.join("|"));
        }
    }
    let _ = writeln!(text, "\n{} examples. {LEGEND}", comparison.answers.len());
    for row in comparison.answers.iter().take(most) {
        let _ = writeln!(text, "\n## {}\n", row.prompt.replace('\n', "\n> "));
        if let Some(reference) = &row.reference {
            let _ = writeln!(text, "- reference: {reference}");
        }
        for (i, (model, answer)) in comparison.models.iter().zip(&row.answers).enumerate() {
            let answer = if i == 0 { answer.clone() } else { marked(&row.answers[0], answer) };
            let _ = writeln!(text, "- {model}: {answer}");
        }
    }
    text
}

fn marked(first: &str, answer: &str) -> String {
    let piece = |piece: framework_report::difference::Piece| {
        let text = piece.text.trim_end();
        match piece.different {
            // White space within the asterisks would not be bold.
            true => format!("**{text}**{}", &piece.text[text.len()..]),
            false => piece.text.clone(),
        }
    };
    against(first, answer).into_iter().map(piece).collect()
}
