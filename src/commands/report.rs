use framework_engine::{
    Error, Problem, Result,
    report::{self, Overlay},
    run::RunFolder,
};
use std::{path::PathBuf, process::ExitCode};

/// Write a run's report.html again, or a page that compares several runs.
#[derive(clap::Args)]
pub struct Report {
    /// Folders of runs.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The page. Default: report.html in the run's folder.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Report {
    pub fn run(&self) -> Result<ExitCode> {
        let runs = self.runs.iter().map(|root| RunFolder::open(root)).collect::<Result<Vec<_>>>()?;
        let page = match (&runs[..], &self.to) {
            ([run], None) => {
                report::write(run)?;
                run.report()
            }
            (_, Some(to)) => {
                report::overlay(&runs, Overlay::default(), to)?;
                to.clone()
            }
            (_, None) => {
                let problem = Problem::new("there is no name for a page with several runs");
                return Err(Error::invalid(problem.key("--to").help("Give one: --to FILE.html")));
            }
        };
        println!("wrote {}", page.display());
        Ok(ExitCode::SUCCESS)
    }
}
