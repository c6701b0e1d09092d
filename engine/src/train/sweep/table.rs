//! What the runs of a sweep came to, side by side. Nothing in it depends on the clock, so that a sweep that was killed ends
//! with the same table.

use super::Axis;
use crate::run::{RunFolder, Summary, read_metrics};
use framework_base::Result;
use framework_recipe::Metric;
use serde::Serialize;

/// A run of a sweep that has ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The run's folder, within that of the sweep.
    pub run: String,
    /// The value of each axis.
    pub values: Vec<String>,
    /// Optimizer steps; none if the run failed.
    pub steps: Option<u64>,
    /// Mean training loss per supervised token in the last step.
    pub train_loss: Option<f64>,
    /// Validation loss at the end.
    pub eval_loss: Option<f64>,
    /// The best value of `train.metric`.
    pub best: Option<f64>,
    /// The step of the best value.
    pub best_step: Option<u64>,
    /// Why the run failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Row {
    /// What a run that has come to its end left in its folder.
    pub(super) fn read(run: &RunFolder, name: &str, values: &[String]) -> Result<Option<Self>> {
        let Some(summary) = Summary::read(run) else { return Ok(None) };
        let eval_loss = read_metrics(&run.metrics())?.iter().rev().find_map(|line| line.eval_loss);
        let (best, best_step) = summary.best.unzip();
        Ok(Some(Self {
            run: name.to_owned(),
            values: values.to_vec(),
            steps: Some(summary.steps),
            train_loss: summary.train_loss,
            eval_loss,
            best,
            best_step,
            error: None,
        }))
    }

    pub(super) fn failed(name: &str, values: &[String], error: String) -> Self {
        let (steps, train_loss, eval_loss, best, best_step) = (None, None, None, None, None);
        let (run, values) = (name.to_owned(), values.to_vec());
        Self { run, values, steps, train_loss, eval_loss, best, best_step, error: Some(error) }
    }
}

/// The table of a sweep.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// What is varied.
    pub axes: Vec<Axis>,
    /// What the best run is found by.
    pub metric: Metric,
    /// The runs that have ended.
    pub rows: Vec<Row>,
}

impl Table {
    /// The row of the best run by `train.metric`; none without validation data. Of equals, the first.
    pub fn best(&self) -> Option<&Row> {
        let better = |a: f64, b: f64| if self.metric.rises() { a > b } else { a < b };
        let rows = self.rows.iter().filter_map(|row| Some((row, row.best?)));
        rows.reduce(|best, row| if better(row.1, best.1) { row } else { best }).map(|(row, _)| row)
    }

    /// Headings and cells, with a word at the best run.
    pub(super) fn marked(&self) -> Vec<Vec<String>> {
        let (mut cells, best) = (self.cells(), self.best().map(|row| &row.run));
        cells.iter_mut().filter(|row| Some(&row[0]) == best).for_each(|row| row[0] += " (best)");
        cells
    }

    /// Headings and cells.
    fn cells(&self) -> Vec<Vec<String>> {
        let metric = match self.metric {
            Metric::Loss => "best eval loss",
            Metric::Perplexity => "best perplexity",
            Metric::Accuracy => "best accuracy",
        };
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let keys = self.axes.iter().map(|axis| axis.key.clone());
        let heading = text(&["run"]).into_iter().chain(keys);
        let heading = heading.chain(text(&["steps", "train loss", "eval loss", metric, "at step"])).collect();
        let number = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{x:.4}"));
        let count = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
        let row = |row: &Row| {
            let mut cells = vec![row.run.clone()];
            cells.extend(row.values.iter().cloned());
            cells.push(if row.error.is_some() { "failed".to_owned() } else { count(row.steps) });
            cells.extend([row.train_loss, row.eval_loss, row.best].map(number));
            cells.push(count(row.best_step));
            cells
        };
        std::iter::once(heading).chain(self.rows.iter().map(row)).collect()
    }

    /// For a terminal: columns of equal width, and a star at the best run.
    pub fn text(&self) -> String {
        let (cells, best) = (self.cells(), self.best().map(|row| &row.run));
        let widths: Vec<usize> =
            (0..cells[0].len()).map(|i| cells.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let pad = |(cell, &width): (&String, &usize)| format!("{cell:<width$}");
            let line = row.iter().zip(&widths).map(pad).collect::<Vec<_>>().join("  ");
            let star = if Some(&row[0]) == best { "  *" } else { "" };
            format!("{}{star}\n", line.trim_end())
        };
        cells.iter().map(line).collect()
    }

    /// A table in Markdown; the best run is in bold.
    pub fn markdown(&self) -> String {
        let (cells, best) = (self.cells(), self.best().map(|row| &row.run));
        let line = |row: &Vec<String>| {
            let bold = Some(&row[0]) == best;
            let cell = |cell: &String| cell.replace('|', "\\|");
            let cells: Vec<_> = row.iter().map(|c| if bold { format!("**{}**", cell(c)) } else { cell(c) }).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut lines = cells.iter().map(line);
        let heading = lines.next().unwrap_or_default();
        let rule = format!("|{}\n", " --- |".repeat(cells[0].len()));
        format!("{heading}{rule}{}", lines.collect::<String>())
    }

    /// Comma-separated values (RFC 4180), with all digits.
    pub fn csv(&self) -> String {
        let quoted = |cell: &str| match cell.contains([',', '"', '\n']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.to_owned(),
        };
        let number = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
        let count = |n: Option<u64>| n.map_or(String::new(), |n| n.to_string());
        let line = |cells: Vec<String>| format!("{}\n", cells.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(","));
        let mut heading = vec!["run".to_owned()];
        heading.extend(self.axes.iter().map(|axis| axis.key.clone()));
        heading.extend(["steps", "train_loss", "eval_loss", "best", "best_step", "error"].map(str::to_owned));
        let mut out = line(heading);
        for row in &self.rows {
            let mut cells = vec![row.run.clone()];
            cells.extend(row.values.iter().cloned());
            cells.push(count(row.steps));
            cells.extend([row.train_loss, row.eval_loss, row.best].map(number));
            cells.extend([count(row.best_step), row.error.clone().unwrap_or_default()]);
            out += &line(cells);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(metric: Metric) -> Table {
        let row = |run: &str, value: &str, best: f64| Row {
            run: run.into(),
            values: vec![value.into()],
            steps: Some(30),
            train_loss: Some(1.25),
            eval_loss: Some(2.0),
            best: Some(best),
            best_step: Some(20),
            error: None,
        };
        let axes = vec![Axis { key: "train.epochs".into(), values: vec!["3".into(), "[4,5]".into()] }];
        let lost = Row::failed("run-3", &["6".to_owned()], "it diverged".into());
        Table { axes, metric, rows: vec![row("run-1", "3", 0.5), row("run-2", "[4,5]", 0.25), lost] }
    }

    #[test]
    fn the_best_run_is_marked() {
        insta::assert_snapshot!(table(Metric::Loss).text(), @r"
run    train.epochs  steps   train loss  eval loss  best eval loss  at step
run-1  3             30      1.2500      2.0000     0.5000          20
run-2  [4,5]         30      1.2500      2.0000     0.2500          20  *
run-3  6             failed  -           -          -               -
");
        insta::assert_snapshot!(table(Metric::Accuracy).markdown(), @r"
| run | train.epochs | steps | train loss | eval loss | best accuracy | at step |
| --- | --- | --- | --- | --- | --- | --- |
| **run-1** | **3** | **30** | **1.2500** | **2.0000** | **0.5000** | **20** |
| run-2 | [4,5] | 30 | 1.2500 | 2.0000 | 0.2500 | 20 |
| run-3 | 6 | failed | - | - | - | - |
");
        insta::assert_snapshot!(table(Metric::Loss).csv(), @r#"
run,train.epochs,steps,train_loss,eval_loss,best,best_step,error
run-1,3,30,1.25,2,0.5,20,
run-2,"[4,5]",30,1.25,2,0.25,20,
run-3,6,,,,,,it diverged
"#);
    }
}
