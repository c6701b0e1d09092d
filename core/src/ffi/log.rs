//! A dynamic library has `tracing` statics of its own; its messages are forwarded to the host.

use abi_stable::{StableAbi, std_types::RStr};
use std::fmt::Write;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Where a host wants messages: level from 1 (error) to 5 (trace), target, message.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct LogSink(pub extern "C" fn(u8, RStr<'_>, RStr<'_>));

struct Forwarder(LogSink);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

fn number(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Subscriber for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        (self.0.0)(number(event.metadata().level()), event.metadata().target().into(), line.0.as_str().into());
    }
}

/// Sends this library's messages to the host. Later calls change nothing.
pub fn forward_logs(sink: LogSink) {
    let _ = tracing::subscriber::set_global_default(Forwarder(sink));
}

/// The host's end: repeats a plugin's message in the host's own log.
pub extern "C" fn host_log(level: u8, target: RStr<'_>, message: RStr<'_>) {
    let [plugin, message] =
        [target, message].map(|text| String::from_utf8_lossy(text.as_str().as_bytes()).into_owned());
    let plugin = plugin.as_str();
    match level {
        1 => tracing::error!(plugin, "{message}"),
        2 => tracing::warn!(plugin, "{message}"),
        3 => tracing::info!(plugin, "{message}"),
        4 => tracing::debug!(plugin, "{message}"),
        _ => tracing::trace!(plugin, "{message}"),
    }
}
