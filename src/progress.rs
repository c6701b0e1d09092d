//! What is shown on stderr while something runs.

use crate::held;
use framework_engine::{
    data::Progress,
    hub::{self, Transfer},
    run::Metrics,
    train::{Event, Preparing},
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Sends log messages to stderr.
pub fn init_logging(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| held::Stderr)
        .without_time()
        .with_target(false)
        // It would panic where stderr is closed.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

/// Shows what is downloaded: a bar for each file; a line each where stderr is not a terminal.
pub fn show_downloads() {
    let (terminal, bar) = (std::io::stderr().is_terminal(), Mutex::new(ProgressBar::hidden()));
    hub::observe(move |transfer| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        match transfer {
            Transfer::Begins { id, file, size, done } if terminal => {
                *bar = ProgressBar::new(*size).with_message(format!("{}: {file}", id.name));
                let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_position(*done);
                bar.reset_eta();
            }
            Transfer::Begins { id, file, size, done } => {
                let rest = if *done > 0 { format!(", going on at byte {done}") } else { String::new() };
                eprintln!("downloading {file} of {id}, {size} bytes{rest}");
            }
            Transfer::Goes { done, .. } => bar.set_position(*done),
            Transfer::Ends { .. } => bar.finish_and_clear(),
            Transfer::Waits { id, file } => eprintln!("waiting for another process that downloads {file} of {id}"),
        }
    });
}

/// A bar for reading and tokenizing the data; nothing where stderr is not a terminal.
pub struct DataProgress {
    bar: ProgressBar,
}

impl DataProgress {
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// [`DataProgress::at`], and that the model is loaded once the data is there.
    pub fn preparing(&mut self, at: Preparing) {
        match at {
            Preparing::Data(progress) => self.at(progress),
            Preparing::Model if std::io::stderr().is_terminal() => {
                self.end();
                let style = ProgressStyle::with_template("loading the model {spinner} {elapsed}");
                self.bar = ProgressBar::new_spinner();
                self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                self.bar.enable_steady_tick(Duration::from_millis(100));
            }
            Preparing::Model => {}
        }
    }

    pub fn at(&mut self, progress: Progress) {
        if self.bar.is_hidden() && std::io::stderr().is_terminal() {
            let (bar, style) = match progress.total {
                Some(total) => (
                    ProgressBar::new(total as u64),
                    "reading {wide_bar} {pos}/{len} rows, {per_sec}, {eta} left, {msg}",
                ),
                None => (ProgressBar::new_spinner(), "reading {spinner} {pos} rows, {per_sec}, {msg}"),
            };
            let style = ProgressStyle::with_template(style);
            self.bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        self.bar.set_position(progress.records as u64);
        self.bar.set_message(format!("{} examples", progress.examples));
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for training; lines instead where stderr is not a terminal.
pub struct TrainProgress {
    bar: ProgressBar,
    terminal: bool,
    /// Steps in all.
    total: u64,
}

impl TrainProgress {
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden(), terminal: std::io::stderr().is_terminal(), total: 0 }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, line: &str) {
        if self.terminal && !self.bar.is_hidden() { self.bar.println(line) } else { eprintln!("{line}") }
    }

    pub fn on(&mut self, event: &Event) {
        match event {
            Event::Message(text) => self.say(text),
            Event::Begin { step, total } => {
                self.total = *total;
                if self.terminal {
                    self.bar = ProgressBar::new(*total);
                    let style = ProgressStyle::with_template(
                        "training {wide_bar} {pos}/{len}, {elapsed} passed, {eta} left, {msg}",
                    );
                    self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                    self.bar.set_position(*step);
                }
                if *step > 0 {
                    self.say(&format!("going on from step {step} of {total}"));
                }
            }
            Event::Step { step, loss } => {
                self.bar.set_position(*step);
                self.bar.set_message(format!("loss {loss:.4}"));
            }
            Event::Metrics(m) => {
                if let Some(line) = line(m, self.total) {
                    self.say(&line);
                }
            }
            Event::Phase(what) => self.bar.set_message(*what),
            Event::Samples { .. } => {}
            Event::End(_) => self.bar.finish_and_clear(),
        }
    }
}

/// A logged step, which fits into 80 columns.
fn line(m: &Metrics, total: u64) -> Option<String> {
    let width = total.to_string().len();
    let at = format!("step {:>width$}/{total}  epoch {:.2}", m.step, m.epoch);
    match (m.loss, m.eval_loss) {
        (Some(loss), _) => Some(format!(
            "{at}  loss {loss:.4}  lr {:.1e}  grad {:.2}  {:.0} tok/s",
            m.learning_rate.unwrap_or_default(),
            m.grad_norm.unwrap_or_default(),
            m.tokens_per_second.unwrap_or_default()
        )),
        (None, Some(loss)) => {
            let accuracy = m.eval_accuracy.map_or(String::new(), |share| format!("  accuracy {share:.4}"));
            let perplexity = m.perplexity.map_or(String::new(), |value| format!("  perplexity {value:.2}"));
            let mut line = format!("{at}  validation loss {loss:.4}{perplexity}{accuracy}");
            if !m.metrics.is_empty() {
                let metric = |(name, value): (&String, &f64)| format!("  {name} {value:.4}");
                line += &format!(
                    "
{:at$}{}",
                    "",
                    m.metrics.iter().map(metric).collect::<String>(),
                    at = at.len()
                );
            }
            Some(line)
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_a_terminal_of_80_columns() {
        let step = Metrics {
            step: 28,
            epoch: 12.5,
            loss: Some(11.5),
            learning_rate: Some(2e-4),
            grad_norm: Some(10.5),
            tokens_per_second: Some(123_456.0),
            ..Metrics::default()
        };
        let text = line(&step, 12_560).unwrap();
        assert_eq!(text, "step    28/12560  epoch 12.50  loss 11.5000  lr 2.0e-4  grad 10.50  123456 tok/s");
        assert!(text.len() <= 80, "{}", text.len());
        assert!(line(&step, 560).unwrap().starts_with("step  28/560  epoch 12.50  loss"));
        let validation = Metrics { loss: None, eval_loss: Some(2.0), perplexity: Some(7.389), ..step };
        assert_eq!(
            line(&validation, 560).unwrap(),
            "step  28/560  epoch 12.50  validation loss 2.0000  perplexity 7.39"
        );
    }
}
