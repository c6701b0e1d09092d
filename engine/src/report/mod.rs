//! A run as a page to look at: `report.html`, with its plots as SVG beside it.

mod gathered;
mod plots;
mod samples;
mod tables;

use crate::run::RunFolder;
use framework_base::{Result, files};
use framework_report::{page::Page, plot::Plot};
use gathered::Gathered;
use std::path::Path;

/// Writes a run's `report.html` and `plots/`, from what its folder has at present.
///
/// # Errors
/// The folder cannot be read or written.
pub fn write(run: &RunFolder) -> Result<()> {
    let gathered = Gathered::of(run)?;
    let plots = plots::of_one(&gathered);
    files::create_dir(&run.plots())?;
    let lengths = plots::of_lengths(&gathered);
    let drawn =
        plots.iter().map(|(name, plot)| (*name, plot)).chain(lengths.as_ref().map(|plot| ("example-lengths", plot)));
    for (name, plot) in drawn.filter(|(_, plot)| !plot.is_empty()) {
        files::write_bytes(&run.plots().join(format!("{name}.svg")), plot.to_svg().as_bytes())?;
    }
    let mut page = Page::new(&gathered.name, &gathered.standing());
    page.figures(&tables::figures(&gathered));
    page.plots(plots.iter().map(|(_, plot)| plot));
    samples::over_time(&mut page, &gathered);
    tables::data(&mut page, &gathered, lengths.as_ref());
    tables::plan(&mut page, &gathered);
    tables::machine(&mut page, &gathered);
    page.heading("Recipe and lock");
    page.text("recipe.toml", &gathered.recipe);
    page.text("lock.toml", &gathered.lock);
    if !gathered.resumed.is_empty() {
        page.text("resumed.jsonl: settings that a resume has changed", &gathered.resumed);
    }
    files::write_bytes(&run.report(), page.finish().as_bytes())
}

/// What a page of several runs shows besides the runs.
#[derive(Debug, Default)]
pub struct Overlay {
    /// What each run is called; by its own name or folder where this is empty.
    pub names: Vec<String>,
    /// A table that comes first: headings, and rows.
    pub table: Option<Vec<Vec<String>>>,
    /// Plots that come first.
    pub plots: Vec<Plot>,
}

/// Writes a page that shows several runs over each other. Without any, it has what is to come first.
///
/// # Errors
/// A folder cannot be read, or the page cannot be written.
pub fn overlay(runs: &[RunFolder], with: Overlay, to: &Path) -> Result<()> {
    let all = runs.iter().map(Gathered::of).collect::<Result<Vec<_>>>()?;
    let names = if with.names.is_empty() { gathered::names(&all) } else { with.names };
    let count = format!("{} run{}", all.len(), if all.len() == 1 { "" } else { "s" });
    let mut page = Page::new(&gathered::title(&all), &count);
    if let Some((head, rows)) = with.table.as_deref().and_then(<[_]>::split_first) {
        page.table(head, rows);
    }
    page.plots(&with.plots);
    if all.is_empty() {
        return files::write_bytes(to, page.finish().as_bytes());
    }
    tables::results(&mut page, &names, &all);
    page.plots(&plots::of_several(&names, &all));
    tables::differences(&mut page, &names, &all);
    samples::side_by_side(&mut page, &names, &all);
    files::write_bytes(to, page.finish().as_bytes())
}
