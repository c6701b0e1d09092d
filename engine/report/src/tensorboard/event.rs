//! `Event` and `Summary`: `tensorboard/compat/proto/event.proto` and `summary.proto`.

use super::message::Message;

/// What a record holds.
pub struct Event {
    step: u64,
    /// The field that says what happened, and its content.
    what: What,
}

enum What {
    Version(&'static str),
    Summary(Message),
    Log(Message),
}

impl Event {
    /// The format's version; the first record of a file.
    pub fn version(version: &'static str) -> Self {
        Self { step: 0, what: What::Version(version) }
    }

    /// A session begins with this step. From the second session on, readers drop what they have of this step and of
    /// those after it.
    pub fn start(step: u64) -> Self {
        const START: u64 = 1;
        Self { step, what: What::Log(Message::default().integer(1, START)) }
    }

    /// Values of a step.
    pub fn summary(step: u64, summary: Summary) -> Self {
        Self { step, what: What::Summary(summary.0) }
    }

    /// As it is written at a time, in seconds since 1970.
    pub fn encode(&self, time: f64) -> Vec<u8> {
        let event = Message::default().double(1, time).integer(2, self.step);
        let event = match &self.what {
            What::Version(version) => event.bytes(3, version.as_bytes()),
            What::Summary(summary) => event.message(5, summary),
            What::Log(log) => event.message(7, log),
        };
        event.encoded().to_vec()
    }
}

/// Values with their tags.
#[derive(Default)]
pub struct Summary(Message);

impl Summary {
    /// A number. The format has 32 bits for it.
    pub fn scalar(self, tag: &str, value: f64) -> Self {
        self.value(Message::default().bytes(1, tag.as_bytes()).float(2, value as f32))
    }

    /// A text.
    pub fn text(self, tag: &str, text: &str) -> Self {
        let shape = Message::default().message(2, &Message::default().integer(1, 1));
        const STRING: u64 = 7;
        let tensor = Message::default().integer(1, STRING).message(2, &shape).bytes(8, text.as_bytes());
        self.value(tagged(tag, "text", &[]).message(8, &tensor))
    }

    /// What the page of hyper-parameters reads. The value is empty: the content is beside it.
    pub fn hyper(self, tag: &str, content: Message) -> Self {
        const FLOAT: u64 = 1;
        // A dimension of size 0 would be left out by a writer of defaults; here it says that there is no element.
        let shape = Message::default().message(2, &Message::default().integer(1, 0));
        let tensor = Message::default().integer(1, FLOAT).message(2, &shape);
        self.value(tagged(tag, "hparams", content.encoded()).message(8, &tensor))
    }

    fn value(self, value: Message) -> Self {
        Self(self.0.message(1, &value))
    }
}

/// A value for one of TensorBoard's plugins, whose data class is a tensor.
fn tagged(tag: &str, plugin: &str, content: &[u8]) -> Message {
    const TENSOR: u64 = 2;
    let data = Message::default().bytes(1, plugin.as_bytes()).bytes(2, content);
    let metadata = Message::default().message(1, &data).integer(4, TENSOR);
    Message::default().bytes(1, tag.as_bytes()).message(9, &metadata)
}
