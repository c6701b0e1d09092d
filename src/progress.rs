//! What is shown on stderr while something runs.

use framework_engine::{
    data::Progress,
    hub::{self, Transfer},
    train::Event,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
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
        .with_writer(std::io::stderr)
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

    pub fn at(&mut self, progress: Progress) {
        if self.bar.is_hidden() && std::io::stderr().is_terminal() {
            let (bar, style) = match progress.total {
                Some(total) => (ProgressBar::new(total as u64), "{bar:30} {pos}/{len} rows {per_sec} left {eta} {msg}"),
                None => (ProgressBar::new_spinner(), "{spinner} {pos} rows {per_sec} {msg}"),
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
}

impl TrainProgress {
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden(), terminal: std::io::stderr().is_terminal() }
    }

    fn say(&self, line: &str) {
        if self.terminal && !self.bar.is_hidden() { self.bar.println(line) } else { eprintln!("{line}") }
    }

    pub fn on(&mut self, event: &Event) {
        match event {
            Event::Message(text) => self.say(text),
            Event::Begin { step, total } => {
                if self.terminal {
                    self.bar = ProgressBar::new(*total);
                    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} left {eta} {msg}");
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
                let line = match (m.loss, m.eval_loss) {
                    (Some(loss), _) => format!(
                        "step {:>6}  epoch {:>6.2}  loss {loss:.4}  lr {:.2e}  grad norm {:.3}  {:.0} tokens/s",
                        m.step,
                        m.epoch,
                        m.learning_rate.unwrap_or_default(),
                        m.grad_norm.unwrap_or_default(),
                        m.tokens_per_second.unwrap_or_default()
                    ),
                    (None, Some(loss)) => format!(
                        "step {:>6}  epoch {:>6.2}  validation loss {loss:.4}  perplexity {:.2}",
                        m.step,
                        m.epoch,
                        m.perplexity.unwrap_or_default()
                    ),
                    (None, None) => return,
                };
                self.say(&line);
            }
            Event::Samples(_) => {}
            Event::End(_) => self.bar.finish_and_clear(),
        }
    }
}
