//! Rows that the prompt template refuses: left out and counted, or told together.

use super::report::{Noted, note};
use framework_base::{Error, Problem, Result};
use regex::Regex;
use std::sync::LazyLock;

/// What becomes of a row.
pub enum Outcome<T> {
    /// What is made of it.
    Made(T),
    /// Why it cannot be trained.
    Refused(Vec<Problem>),
}

impl<T> Outcome<T> {
    /// What `make` makes of a rendered row. Only what is wrong with the row itself is a refusal.
    pub fn of<R>(rendered: Result<R>, make: impl FnOnce(R) -> Result<T>) -> Result<Self> {
        match rendered {
            Ok(rendered) => make(rendered).map(Outcome::Made),
            Err(Error::Invalid(problems)) => Ok(Outcome::Refused(problems)),
            Err(failed) => Err(failed),
        }
    }
}

/// The reason in words that are the same for all rows that it holds for.
pub(super) fn reason(problems: &[Problem]) -> String {
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(message|turn) \d+").unwrap_or_else(|e| panic!("{e}")));
    let message = problems.first().map_or("", |problem| problem.message.as_str());
    NUMBER.replace(message, "a $1").into_owned()
}

/// Refused rows that were worked on side by side.
#[derive(Default)]
pub(super) struct Together {
    /// For each reason, the first row's problems.
    first: Vec<(String, usize, Vec<Problem>)>,
    counts: Vec<Noted>,
}

impl Together {
    pub(super) fn add(&mut self, row: usize, problems: Vec<Problem>) {
        let reason = reason(&problems);
        if note(&mut self.counts, &reason, row) {
            self.first.push((reason, row, problems));
        }
    }

    /// An error that names the first row of each reason, and how many more there are among the rows up to `last`.
    pub(super) fn told(self, set: &str, last: usize) -> Result<()> {
        let mut all = Vec::new();
        for (reason, row, problems) in self.first {
            let rows = self.counts.iter().find(|noted| noted.what == reason).map_or(1, |noted| noted.rows);
            let more = match rows - 1 {
                0 => String::new(),
                n => format!(" ({n} more of the first {last} rows)"),
            };
            all.extend(problems.into_iter().map(|mut problem| {
                problem.message = format!("{set} example {row}: {}{more}", problem.message);
                let help = problem.help.take().map_or(String::new(), |help| help + "; ");
                problem.help(help + "`data.bad_rows = \"skip\"` leaves out rows that cannot be trained")
            }));
        }
        if all.is_empty() { Ok(()) } else { Err(Error::Invalid(all)) }
    }
}
