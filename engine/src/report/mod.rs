//! A run as a page to look at: `report.html`, with its plots as SVG beside it.

mod gathered;
mod plots;
mod samples;
mod tables;

use crate::run::RunFolder;
use framework_base::{Result, files};
use framework_report::page::Page;
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
    for (name, plot) in plots.iter().filter(|(_, plot)| !plot.is_empty()) {
        files::write_bytes(&run.plots().join(format!("{name}.svg")), plot.to_svg().as_bytes())?;
    }
    let mut page = Page::new(&gathered.name, &gathered.standing());
    page.figures(&tables::figures(&gathered));
    page.plots(plots.iter().map(|(_, plot)| plot));
    samples::over_time(&mut page, &gathered);
    tables::data(&mut page, &gathered);
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

/// Writes a page that shows several runs over each other.
///
/// # Errors
/// A folder cannot be read, or the page cannot be written.
pub fn overlay(runs: &[RunFolder], to: &Path) -> Result<()> {
    let all = runs.iter().map(Gathered::of).collect::<Result<Vec<_>>>()?;
    let names = gathered::names(&all);
    let mut page = Page::new(&names.join(", "), &format!("{} runs", all.len()));
    tables::results(&mut page, &names, &all);
    page.plots(&plots::of_several(&names, &all));
    tables::differences(&mut page, &names, &all);
    samples::side_by_side(&mut page, &names, &all);
    files::write_bytes(to, page.finish().as_bytes())
}
