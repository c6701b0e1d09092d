//! The page of hyper-parameters: `tensorboard/plugins/hparams/api.proto` and `plugin_data.proto`.

use super::message::Message;

/// Tags under which the page looks for its data.
pub const EXPERIMENT: &str = "_hparams_/experiment";
/// See [`EXPERIMENT`].
pub const START: &str = "_hparams_/session_start_info";
/// See [`EXPERIMENT`].
pub const END: &str = "_hparams_/session_end_info";

/// A setting's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Hyper {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// On or off.
    Switch(bool),
}

/// How a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has come to its end.
    Success = 1,
    /// It has failed.
    Failure = 2,
}

impl Hyper {
    /// `google.protobuf.Value`.
    fn value(&self) -> Message {
        match self {
            Hyper::Number(number) => Message::default().double(2, *number),
            Hyper::Text(text) => Message::default().bytes(3, text.as_bytes()),
            Hyper::Switch(on) => Message::default().integer(4, u64::from(*on)),
        }
    }

    /// `DataType`.
    fn kind(&self) -> u64 {
        match self {
            Hyper::Text(_) => 1,
            Hyper::Switch(_) => 2,
            Hyper::Number(_) => 3,
        }
    }
}

/// The settings and the numbers that the page has columns for.
pub fn experiment(settings: &[(String, Hyper)], metrics: &[&str]) -> Message {
    let setting =
        |(name, value): &(String, Hyper)| Message::default().bytes(1, name.as_bytes()).integer(4, value.kind());
    let metric = |tag: &&str| Message::default().message(1, &Message::default().bytes(2, tag.as_bytes()));
    let mut experiment = Message::default();
    for column in settings.iter().map(setting) {
        experiment = experiment.message(4, &column);
    }
    for column in metrics.iter().map(metric) {
        experiment = experiment.message(5, &column);
    }
    Message::default().message(2, &experiment)
}

/// A session with its settings.
pub fn session_start(name: &str, settings: &[(String, Hyper)], time: f64) -> Message {
    let mut start = Message::default();
    for (name, value) in settings {
        start = start.message(1, &Message::default().bytes(1, name.as_bytes()).message(2, &value.value()));
    }
    start = start.bytes(4, name.as_bytes()).double(5, time);
    Message::default().message(3, &start)
}

/// How a session has ended.
pub fn session_end(status: Status, time: f64) -> Message {
    let end = Message::default().integer(1, status as u64).double(2, time);
    Message::default().message(4, &end)
}
