//! A sweep: runs of one recipe that differ in some keys, one after the other, and a table of what they came to.

mod axes;
mod definition;
mod plot;
mod table;

pub use axes::Axis;
pub use table::{Row, Table};

use super::{
    Event, Prepared, Preparing,
    again::{Earlier, Start},
    prepare::prepare_after,
    train_until,
};
use crate::{
    report,
    run::{Hold, RunFolder},
    session::{PluginSources, Session},
};
use definition::Definition;
use framework_base::{Error, Result, files};
use std::path::{Path, PathBuf};

/// One of the runs.
struct Trial {
    name: String,
    values: Vec<String>,
    session: Session,
}

/// A sweep whose recipes are all sound.
pub struct Sweep {
    folder: PathBuf,
    definition: Definition,
    trials: Vec<Trial>,
}

/// What is asked of a sweep.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// Overrides: `key=a,b,c` is varied, `key=a` is the same in all runs.
    pub sets: &'a [String],
    /// How many of the combinations are drawn; all of them if not given.
    pub trials: Option<usize>,
    /// The sweep's folder. Default: the run's, with `-sweep` behind it.
    pub folder: Option<PathBuf>,
}

/// What happens during a sweep.
pub enum SweepEvent<'a> {
    /// A run begins, or goes on.
    Begin {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// Its folder's name and what is particular, e.g. `run-2: train.epochs=4`.
        label: String,
        /// Whether it had been begun before.
        resumed: bool,
    },
    /// A run is being prepared.
    Preparing(Preparing),
    /// Something happens in a run.
    Train(&'a Event<'a>),
    /// A run has ended, now or before.
    End(&'a Row),
}

impl Sweep {
    /// Reads and checks the recipes of all runs; nothing is written.
    ///
    /// # Errors
    /// Whatever is wrong with any of the recipes; a folder that holds something else than this sweep.
    pub fn open(recipe: &Path, request: &Request, sources: &PluginSources) -> Result<Self> {
        let (fixed, axes) = axes::axes(request.sets)?;
        let open = |values: &[String], more: &[String]| {
            let varied = axes.iter().zip(values).map(|(axis, value)| format!("{}={value}", axis.key));
            let overrides: Vec<_> = fixed.iter().cloned().chain(varied).chain(more.iter().cloned()).collect();
            Session::open(recipe, &overrides, sources)
        };
        let first: Vec<_> = axes.iter().map(|axis| axis.values[0].clone()).collect();
        let first = open(&first, &[])?;
        let folder = request.folder.clone().unwrap_or_else(|| beside(&first.recipe.output));
        let combinations = axes::combinations(&axes, request.trials, first.recipe.seed)?;
        let definition = Definition { recipe: first.recipe_to_toml(), axes: axes.clone(), trials: request.trials };
        definition.check(&folder)?;
        let mut trials = Ok(Vec::new());
        for (i, values) in combinations.into_iter().enumerate() {
            let name = format!("run-{}", i + 1);
            let output = format!("output={:?}", folder.join(&name).display().to_string());
            let trial = open(&values, &[output]).map(|session| Trial { name, values, session });
            trials = Error::both(trials, trial).map(|(mut all, trial): (Vec<_>, _)| {
                all.push(trial);
                all
            });
        }
        Ok(Self { folder, definition, trials: trials? })
    }

    /// The sweep's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Trains all runs that have not come to their end, each from where it was, and writes the tables after each. None if
    /// `stop` said so. A run that fails is noted in the table, and the next one begins.
    ///
    /// Tokens and weights are read once, and again where a run's recipe makes others.
    pub fn run(self, stop: &dyn Fn() -> bool, observe: &mut dyn FnMut(&SweepEvent)) -> Result<Option<Table>> {
        let Self { folder, definition, trials } = self;
        files::create_dir(&folder)?;
        // First of all: a folder without it is another's.
        definition.write(&folder)?;
        let _held = Hold::of(&folder)?;
        let of = trials.len();
        let metric = trials.first().map(|trial| trial.session.recipe.train.metric).unwrap_or_default();
        let page = trials.first().is_some_and(|trial| trial.session.recipe.report.html);
        let mut table = Table { axes: definition.axes, metric, rows: Vec::new() };
        let mut earlier = None;
        for (i, Trial { name, values, session }) in trials.into_iter().enumerate() {
            let root = folder.join(&name);
            let before = RunFolder::open(&root).ok();
            let row = match before.as_ref().map_or(Ok(None), |run| Row::read(run, &name, &values))? {
                Some(row) => row,
                None => {
                    let label = label(&name, &table.axes, &values);
                    observe(&SweepEvent::Begin { number: i + 1, of, label, resumed: before.is_some() });
                    let mut preparing = |at| observe(&SweepEvent::Preparing(at));
                    let prepared = prepare_after(earlier.take(), session, &mut preparing)?;
                    let start = Start::of(&prepared.network)?;
                    let outcome = one(&prepared, before.is_some(), stop, observe);
                    earlier = Some(Earlier { prepared, start });
                    match outcome {
                        Ok(false) => return Ok(None),
                        Ok(true) => Row::read(&RunFolder::open(&root)?, &name, &values)?
                            .ok_or_else(|| Error::failed(format!("{} has no summary", root.display())))?,
                        Err(Error::Failed(message)) => {
                            let sentence = message.lines().next().unwrap_or_default().to_owned();
                            Row::failed(&name, &values, sentence)
                        }
                        Err(e) => return Err(e),
                    }
                }
            };
            observe(&SweepEvent::End(&row));
            table.rows.push(row);
            write(&folder, &table, page)?;
        }
        Ok(Some(table))
    }
}

/// Trains one run to its end; false if it was stopped.
fn one(
    prepared: &Prepared,
    resume: bool,
    stop: &dyn Fn() -> bool,
    observe: &mut dyn FnMut(&SweepEvent),
) -> Result<bool> {
    let summary = train_until(prepared, resume, stop, &mut |event| observe(&SweepEvent::Train(event)))?;
    Ok(summary.is_some())
}

/// The folder of a sweep beside those of runs: `runs/name-sweep`.
fn beside(output: &Path) -> PathBuf {
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{name}-sweep"))
}

fn label(name: &str, axes: &[Axis], values: &[String]) -> String {
    let pairs = axes.iter().zip(values).map(|(axis, value)| format!("{}={value}", axis.key));
    format!("{name}: {}", pairs.collect::<Vec<_>>().join(", "))
}

/// Writes the table as Markdown and CSV, the pictures, and the page with all runs.
fn write(folder: &Path, table: &Table, page: bool) -> Result<()> {
    let plots = [("curves.svg", Some(plot::curves(folder, table)?)), ("results.svg", plot::results(table))];
    let plots = plots.map(|(file, plot)| (file, plot.filter(|plot| !plot.is_empty())));
    let mut markdown = table.markdown();
    for (file, plot) in plots.iter().filter_map(|(file, plot)| Some((file, plot.as_ref()?))) {
        files::write_bytes(&folder.join(file), plot.to_svg().as_bytes())?;
        markdown += &format!("\n![{}]({file})\n", plot.title);
    }
    files::write_bytes(&folder.join("table.md"), markdown.as_bytes())?;
    files::write_bytes(&folder.join("table.csv"), table.csv().as_bytes())?;
    if !page {
        return Ok(());
    }
    let ended: Vec<_> = table.rows.iter().filter(|row| row.error.is_none()).collect();
    let runs = ended.iter().map(|row| RunFolder::open(&folder.join(&row.run))).collect::<Result<Vec<_>>>()?;
    let overlay = report::Overlay {
        names: ended.iter().map(|row| plot::label(row)).collect(),
        table: Some(table.marked()),
        plots: plots.into_iter().filter_map(|(_, plot)| plot).collect(),
    };
    report::overlay(&runs, overlay, &folder.join("report.html"))
}
