//! Plots of lines as SVG: axes with units, a legend, colours that follow the page's.

mod scale;
mod steps;
mod style;

use crate::text::escaped;
use scale::Scale;
use std::fmt::Write;
use style::COLOURS;
pub use style::style;

/// A line of a plot.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Points, in ascending order of `x`. A point that is not finite interrupts the line.
    pub points: Vec<(f64, f64)>,
}

/// How points are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shape {
    /// Points with lines between them.
    #[default]
    Lines,
    /// Filled steps, from 0 up: each point is the left edge and the height of a bin, the last one the right edge of the last.
    Steps,
}

/// A plot of one or several lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What is on the horizontal axis, with the unit.
    pub x: String,
    /// What is on the vertical axis, with the unit.
    pub y: String,
    /// The lines. The first eight have colours of their own.
    pub series: Vec<Series>,
    /// Whether a line alone is in the legend too: the title does not name it.
    pub named: bool,
    /// How its points are drawn.
    pub shape: Shape,
}

/// Small, so that text can be read when a phone shows the whole width.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 260.0;
/// Room for the labels of the axes.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 32.0;
const BOTTOM: f64 = 44.0;
/// Lines with more points show means of neighbours.
const MOST: usize = 500;
/// Lines with fewer points show each.
const FEW: usize = 40;

impl Plot {
    /// Whether there is a point to be seen.
    pub fn is_empty(&self) -> bool {
        !self.series.iter().any(|series| series.points.iter().any(|(_, y)| y.is_finite()))
    }

    /// An SVG document that stands by itself, for light and dark.
    pub fn to_svg(&self) -> String {
        self.drawn(" xmlns=\"http://www.w3.org/2000/svg\"", &format!("<style>{}</style>", style()))
    }

    /// An SVG element for a page that has [`style`].
    pub fn to_element(&self) -> String {
        self.drawn("", "")
    }

    fn drawn(&self, namespace: &str, head: &str) -> String {
        let finite = |axis: fn(&(f64, f64)) -> f64| {
            let points =
                self.series.iter().flat_map(|series| &series.points).filter(|(x, y)| x.is_finite() && y.is_finite());
            points.map(axis).collect::<Vec<_>>()
        };
        let x = Scale::of(&finite(|point| point.0), 6, LEFT, WIDTH - RIGHT);
        let mut heights = finite(|point| point.1);
        heights.extend((self.shape == Shape::Steps).then_some(0.0));
        let y = Scale::of(&heights, 5, HEIGHT - BOTTOM, TOP + self.legend_rows() * 18.0);
        let mut svg = format!(
            "<svg{namespace} class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{title}\">{head}<title>{title}</title><text class=\"title\" x=\"{LEFT}\" y=\"18\">{title}</text>",
            title = escaped(&self.title)
        );
        self.axes(&mut svg, &x, &y);
        for (i, series) in self.series.iter().enumerate() {
            match self.shape {
                Shape::Lines => series.draw(&mut svg, i % COLOURS.len(), &x, &y),
                Shape::Steps => steps::draw(&mut svg, series, i % COLOURS.len(), &x, &y),
            }
        }
        self.legend(&mut svg);
        svg + "</svg>"
    }

    fn axes(&self, svg: &mut String, x: &Scale, y: &Scale) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, label) in y.ticks() {
            let at = y.at(value);
            let _ = write!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>");
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 6.0,
                at + 4.0
            );
        }
        for (value, label) in x.ticks() {
            let at = x.at(value);
            let _ = write!(svg, "<path class=\"axis\" d=\"M{at:.1} {bottom}v4\"/>");
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
                bottom + 17.0
            );
        }
        let _ = write!(svg, "<path class=\"axis\" d=\"M{LEFT} {bottom}H{right}\"/>");
        let middle = (LEFT + right) / 2.0;
        let _ = write!(
            svg,
            "<text class=\"label\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 8.0,
            escaped(&self.x)
        );
        let middle = (TOP + bottom) / 2.0;
        let _ = write!(
            svg,
            "<text class=\"label\" transform=\"translate(14 {middle}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escaped(&self.y)
        );
    }

    fn has_legend(&self) -> bool {
        self.series.len() > 1 || self.named
    }

    fn legend_rows(&self) -> f64 {
        if !self.has_legend() { 0.0 } else { self.legend_places().last().map_or(0.0, |(_, row)| row + 1.0) }
    }

    /// Column and row of each name, as many in a row as fit.
    fn legend_places(&self) -> Vec<(f64, f64)> {
        let (mut at, mut row, mut places) = (LEFT, 0.0, Vec::new());
        for series in &self.series {
            // Characters of full width take as much as two others.
            let width: f64 = series.name.chars().map(|c| if c < '\u{2e80}' { 6.6 } else { 12.0 }).sum::<f64>() + 34.0;
            if at > LEFT && at + width > WIDTH - RIGHT {
                (at, row) = (LEFT, row + 1.0);
            }
            places.push((at, row));
            at += width;
        }
        places
    }

    fn legend(&self, svg: &mut String) {
        if !self.has_legend() {
            return;
        }
        for (i, (series, (x, row))) in self.series.iter().zip(self.legend_places()).enumerate() {
            let (y, colour) = (TOP + row * 18.0, i % COLOURS.len());
            let _ = write!(svg, "<path class=\"line c{colour}\" d=\"M{x:.1} {y:.1}h16\"/>");
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + 21.0,
                y + 4.0,
                escaped(&series.name)
            );
        }
    }
}

impl Series {
    fn draw(&self, svg: &mut String, colour: usize, x: &Scale, y: &Scale) {
        let points = self.thinned();
        let (mut path, mut down) = (String::new(), false);
        for (a, b) in &points {
            if a.is_finite() && b.is_finite() {
                let _ = write!(path, "{}{:.1} {:.1}", if down { 'L' } else { 'M' }, x.at(*a), y.at(*b));
            }
            down = a.is_finite() && b.is_finite();
        }
        let _ = write!(svg, "<path class=\"line c{colour}\" d=\"{path}\"/>");
        for (a, b) in points.iter().filter(|(a, b)| points.len() < FEW && a.is_finite() && b.is_finite()) {
            let told = format!("{}: {} at {}", self.name, scale::short(*b), scale::short(*a));
            let (a, b) = (x.at(*a), y.at(*b));
            let _ = write!(
                svg,
                "<circle class=\"dot c{colour}\" cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3\"><title>{}</title></circle>",
                escaped(&told)
            );
        }
    }

    /// No more points than can be told apart: means of neighbours.
    fn thinned(&self) -> Vec<(f64, f64)> {
        let together = self.points.len().div_ceil(MOST).max(1);
        let mean = |points: &[(f64, f64)]| {
            let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
            (sum.0 / points.len() as f64, sum.1 / points.len() as f64)
        };
        self.points.chunks(together).map(mean).collect()
    }
}

#[cfg(test)]
mod tests;
