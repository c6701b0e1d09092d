//! The numbers of a comparison as cells of text.

use super::Comparison;
use crate::evaluation::Evaluation;

/// A row for each metric: its name, and a cell for each model.
pub(super) fn table(comparison: &Comparison) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut loss = |name: &str, of: fn(&Evaluation) -> f64| {
        let number = |x: f64| if x.is_nan() { "not defined".to_owned() } else { format!("{x:.4}") };
        let cells = comparison.evaluations.iter().map(|evaluation| number(of(evaluation)));
        rows.push([vec![name.to_owned()], cells.collect()].concat());
    };
    if !comparison.evaluations.is_empty() {
        loss("loss", |evaluation| evaluation.loss);
        loss("perplexity", |evaluation| evaluation.perplexity.unwrap_or(f64::NAN));
        loss("token accuracy", |evaluation| evaluation.accuracy.unwrap_or(f64::NAN));
    }
    for measured in &comparison.metrics {
        let mut row = vec![measured.metric.clone()];
        for (i, (score, interval)) in measured.scores.iter().zip(&measured.intervals).enumerate() {
            let mut cell = score.map_or("not defined".to_owned(), |score| format!("{score:.4}"));
            cell += &interval.map_or(String::new(), |(low, high)| format!(" [{low:.4}, {high:.4}]"));
            if let Some(Some(difference)) = i.checked_sub(1).and_then(|i| measured.differences.get(i)) {
                let mark = if difference.p < 0.05 { "*" } else { "" };
                cell += &format!(" {:+.4}{mark}", difference.difference);
            }
            row.push(cell);
        }
        rows.push(row);
    }
    rows
}

/// What the table's cells say.
pub(super) const LEGEND: &str = "Each score with its 95 % interval (bootstrap over the examples) and, from the second model on, its \
                      difference from the first; * where a difference of the other sign has a probability below 5 %.";
