//! A run's report, written anew while the run goes on.

use super::Event;
use crate::{report, run::RunFolder, session::Session};
use framework_base::Result;
use std::time::{Duration, Instant};

/// The report is not written more often than this, evaluations and the end aside: a page has every point of the curves.
const PAUSE: Duration = Duration::from_secs(15);

/// A run's report.
pub(super) struct LivePage {
    run: RunFolder,
    written: Option<Instant>,
}

impl LivePage {
    /// None if the recipe turns it off.
    pub fn of(run: &RunFolder, session: &Session) -> Option<Self> {
        session.recipe.report.html.then(|| Self { run: run.clone(), written: None })
    }

    pub fn on(&mut self, event: &Event) -> Result<()> {
        let due = match event {
            Event::Begin { .. } | Event::Samples { .. } | Event::End(_) => true,
            Event::Metrics(metrics) => {
                metrics.eval_loss.is_some() || self.written.is_none_or(|written| written.elapsed() > PAUSE)
            }
            _ => false,
        };
        if due {
            report::write(&self.run)?;
            self.written = Some(Instant::now());
        }
        Ok(())
    }
}
