//! The curves of a sweep's runs, as a picture.

use super::Table;
use crate::run::{RunFolder, read_metrics};
use framework_base::{Error, Result};
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (960, 540);
const FONT: &str = "sans-serif";

/// A run's name and its points: passes over the data, and the loss.
type Curve = (String, Vec<(f64, f64)>);

/// Draws the validation loss of each run over the passes over its data, the training loss where there is none, as SVG.
/// Nothing if no run has two points.
pub(super) fn svg(folder: &Path, table: &Table) -> Result<Option<String>> {
    let (mut evaluated, mut trained) = (Vec::<Curve>::new(), Vec::<Curve>::new());
    for row in table.rows.iter().filter(|row| row.error.is_none()) {
        let lines = read_metrics(&RunFolder::open(&folder.join(&row.run))?.metrics())?;
        let points = |value: fn(&crate::run::Metrics) -> Option<f64>| {
            let points = lines.iter().filter_map(|line| Some((line.epoch, value(line)?)));
            points.filter(|(_, y)| y.is_finite()).collect::<Vec<_>>()
        };
        let label = format!("{}: {}", row.run, row.values.join(", "));
        evaluated.push((label.clone(), points(|line| line.eval_loss)));
        trained.push((label, points(|line| line.loss)));
    }
    let enough = |curves: &[Curve]| curves.iter().any(|(_, points)| points.len() > 1);
    let (title, curves) = match (enough(&evaluated), enough(&trained)) {
        (true, _) => ("validation loss", evaluated),
        (false, true) => ("training loss", trained),
        (false, false) => return Ok(None),
    };
    let mut text = String::new();
    draw(&mut text, title, &curves).map_err(|e| Error::failed(format!("cannot draw the plot: {e}")))?;
    Ok(Some(text))
}

fn draw(text: &mut String, title: &str, curves: &[Curve]) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let points = || curves.iter().flat_map(|(_, points)| points);
    let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::MIN, f64::max);
    let least = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::MAX, f64::min);
    let (low, high) = (least(|p| p.1), most(|p| p.1));
    let margin = (0.05 * (high - low)).max(1e-3);
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 20))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..most(|p| p.0), low - margin..high + margin)?;
    chart.configure_mesh().x_desc("epoch").y_desc("loss").max_light_lines(0).draw()?;
    for (i, (label, points)) in curves.iter().enumerate() {
        let colour = Palette99::pick(i).to_rgba();
        let series = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3);
        let legend = move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour.stroke_width(2));
        chart.draw_series(series)?.label(label).legend(legend);
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_is_drawn_with_its_label() {
        let curve = |name: &str, shift: f64| (name.to_owned(), vec![(1.0, 2.0 + shift), (2.0, 1.0 + shift)]);
        let mut text = String::new();
        draw(&mut text, "validation loss", &[curve("run-1: 3", 0.0), curve("run-2: 4 & more", 0.5)]).unwrap();
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"), "{text}");
        assert!(text.contains("run-1: 3") && text.contains("run-2: 4 &amp; more") && text.contains("validation loss"));
        assert!(text.matches("<polyline").count() >= 2);
    }
}
