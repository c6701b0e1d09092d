//! Pictures of a sweep: the loss of each run as it falls, and what the runs came to over a key's values.

use super::{Row, Table};
use crate::run::{Metrics, RunFolder, read_metrics};
use framework_base::Result;
use framework_report::plot::{Plot, Series};
use std::path::Path;

/// What the legend calls a run.
pub(super) fn label(row: &Row) -> String {
    format!("{}: {}", row.run, row.values.join(", "))
}

/// The validation loss of each run over the passes over its data; the training loss where no run has two evaluations.
pub(super) fn curves(folder: &Path, table: &Table) -> Result<Plot> {
    let (mut evaluated, mut trained) = (Vec::new(), Vec::new());
    for row in table.rows.iter().filter(|row| row.error.is_none()) {
        let lines = read_metrics(&RunFolder::open(&folder.join(&row.run))?.metrics())?;
        let series = |of: fn(&Metrics) -> Option<f64>| {
            let points = lines.iter().filter_map(|line| Some((line.epoch, of(line)?))).collect();
            Series { name: label(row), points }
        };
        evaluated.push(series(|line| line.eval_loss));
        trained.push(series(|line| line.loss));
    }
    let (title, series) = match evaluated.iter().any(|series| series.points.len() > 1) {
        true => ("Validation loss", evaluated),
        false => ("Training loss", trained),
    };
    Ok(loss(title, "epochs", series))
}

/// The loss at the end over the values of the first key whose values are numbers: a line for each combination of the other
/// keys' values.
pub(super) fn results(table: &Table) -> Option<Plot> {
    let number = |value: &str| value.parse::<f64>().ok();
    let numeric = |axis: &&super::Axis| axis.values.iter().all(|value| number(value).is_some());
    let axis = table.axes.iter().find(numeric)?;
    let at = table.axes.iter().position(|other| other.key == axis.key)?;
    let evaluated = table.rows.iter().any(|row| row.eval_loss.is_some());
    let (title, name) =
        if evaluated { ("Validation loss at the end", "validation") } else { ("Training loss at the end", "training") };
    let mut series = Vec::<Series>::new();
    for row in &table.rows {
        let others = table.axes.iter().zip(&row.values).filter(|(other, _)| other.key != axis.key);
        let others: Vec<_> = others.map(|(other, value)| format!("{}={value}", other.key)).collect();
        let name = if others.is_empty() { name.to_owned() } else { others.join(", ") };
        let loss = if evaluated { row.eval_loss } else { row.train_loss };
        let Some(point) = row.values.get(at).and_then(|value| number(value)).zip(loss) else { continue };
        match series.iter_mut().find(|series| series.name == name) {
            Some(known) => known.points.push(point),
            None => series.push(Series { name, points: vec![point] }),
        }
    }
    series.iter_mut().for_each(|series| series.points.sort_by(|a, b| a.0.total_cmp(&b.0)));
    Some(loss(title, &axis.key, series))
}

fn loss(title: &str, x: &str, series: Vec<Series>) -> Plot {
    let (title, x, y) = (title.to_owned(), x.to_owned(), "nats per token".to_owned());
    Plot { title, x, y, series, named: true, ..Plot::default() }
}

#[cfg(test)]
mod tests {
    use super::super::Axis;
    use super::*;
    use framework_recipe::Metric;

    fn table(keys: &[(&str, &[&str])], rows: &[(&[&str], f64)]) -> Table {
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let row = |(i, (values, loss)): (usize, &(&[&str], f64))| Row {
            eval_loss: Some(*loss),
            error: None,
            ..Row::failed(&format!("run-{}", i + 1), &texts(values), String::new())
        };
        let axis = |(key, values): &(&str, &[&str])| Axis { key: (*key).to_owned(), values: texts(values) };
        Table {
            axes: keys.iter().map(axis).collect(),
            metric: Metric::Loss,
            rows: rows.iter().enumerate().map(row).collect(),
        }
    }

    #[test]
    fn results_lie_over_the_first_key_of_numbers() {
        let keys = [("adapter.targets", &["\"a\"", "\"b\""][..]), ("train.epochs", &["3", "10"])];
        let rows =
            [(&["\"a\"", "10"][..], 2.0), (&["\"a\"", "3"], 3.0), (&["\"b\"", "3"], 2.5), (&["\"b\"", "10"], 1.5)];
        let plot = results(&table(&keys, &rows)).unwrap();
        assert_eq!((plot.x.as_str(), plot.title.as_str()), ("train.epochs", "Validation loss at the end"));
        let found: Vec<_> = plot.series.iter().map(|series| (series.name.as_str(), &series.points[..])).collect();
        let (a, b) = ([(3.0, 3.0), (10.0, 2.0)], [(3.0, 2.5), (10.0, 1.5)]);
        assert_eq!(found, [("adapter.targets=\"a\"", &a[..]), ("adapter.targets=\"b\"", &b[..])]);
    }

    #[test]
    fn words_are_no_axis() {
        assert_eq!(results(&table(&[("optimizer", &["\"adamw\"", "\"lion\""])], &[])), None);
    }
}
