//! Histograms.

use super::{Series, scale::Scale};
use std::fmt::Write;

/// Draws a series as steps that are filled down to 0.
pub(super) fn draw(svg: &mut String, series: &Series, colour: usize, x: &Scale, y: &Scale) {
    let mut points = series.points.iter().peekable();
    let Some((first, _)) = points.peek() else { return };
    let mut path = format!("M{:.1} {:.1}", x.at(*first), y.at(0.0));
    while let Some((_, height)) = points.next() {
        let _ = write!(path, "V{:.1}", y.at(*height));
        if let Some((edge, _)) = points.peek() {
            let _ = write!(path, "H{:.1}", x.at(*edge));
        }
    }
    let _ = write!(svg, "<path class=\"filled c{colour}\" d=\"{path}\"/>");
}
