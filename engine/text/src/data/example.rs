//! A record as text, some of it to be learned.

use std::ops::Range;

/// A record as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Example {
    /// A conversation, one turn after the other.
    Turns {
        /// What is given and what is to be learned, alternately.
        turns: Vec<Turn>,
        /// What follows the last response and is not learned. Usually nothing: the end token is added when the example
        /// is encoded.
        rest: String,
    },
    /// A text that is learned as a whole.
    Text(String),
}

/// What is given and what is to be learned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// Text from the last response, or from the beginning, up to the next response: the same for training and
    /// generation.
    pub prompt: String,
    /// The response and what the template has after it up to the end token.
    pub response: String,
    /// Whether the answer itself is empty, whatever the template writes around it.
    pub blank: bool,
    /// What the row has and the template does not render, in words; of a conversation's first turn.
    pub unused: Vec<String>,
}

impl Example {
    pub(super) fn turn(prompt: String, response: String) -> Self {
        Example::Turns { turns: vec![Turn { prompt, response, ..Turn::default() }], rest: String::new() }
    }

    /// A text in which these parts are learned.
    pub(super) fn of(text: &str, spans: &[Range<usize>]) -> Self {
        let (mut turns, mut at) = (Vec::new(), 0);
        for span in spans {
            let end = span.end.min(text.len());
            let (prompt, response) = (text[at..span.start].to_owned(), text[span.start..end].to_owned());
            turns.push(Turn { prompt, response, ..Turn::default() });
            at = end;
        }
        Example::Turns { turns, rest: text[at..].to_owned() }
    }

    /// Notes that an answer of it is empty.
    pub(super) fn blank(&mut self) {
        if let Example::Turns { turns, .. } = self {
            turns.iter_mut().for_each(|turn| turn.blank = true);
        }
    }

    /// Notes what the template does not render.
    pub(super) fn lacks(&mut self, unused: Vec<String>) {
        if let Example::Turns { turns, .. } = self
            && let Some(first) = turns.first_mut()
        {
            first.unused = unused;
        }
    }

    /// Notes something more that is not trained.
    pub(super) fn lacks_too(&mut self, unused: String) {
        if let Example::Turns { turns, .. } = self
            && let Some(first) = turns.first_mut()
        {
            first.unused.push(unused);
        }
    }

    /// What the row has and the template does not render.
    pub fn unused(&self) -> &[String] {
        match self {
            Example::Turns { turns, .. } => turns.first().map_or(&[], |turn| &turn.unused),
            Example::Text(_) => &[],
        }
    }

    /// Whether there is nothing to learn but to stop.
    pub fn is_empty(&self) -> bool {
        match self {
            Example::Turns { turns, .. } => turns.iter().any(|turn| turn.blank || turn.response.trim().is_empty()),
            Example::Text(text) => text.trim().is_empty(),
        }
    }
}
