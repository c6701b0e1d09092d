//! Jinja as Hugging Face's chat templates expect it.

pub(super) use super::jinja_source::chat_source;
use super::{
    jinja_filters, jinja_methods,
    jinja_source::{CLOSE, OPEN},
    jinja_text,
};
use jiff::{Zoned, civil::Date, fmt::strtime, tz::TimeZone};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, syntax::SyntaxConfig,
    value::ValueKind,
};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// An environment that leaves text as it is: no HTML escapes; objects print as JSON.
pub(super) fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    env.set_formatter(print);
    env.add_filter("tojson", jinja_text::tojson);
    jinja_methods::install(&mut env);
    jinja_filters::install(&mut env);
    env.add_function("raise_exception", |message: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    env
}

/// Whether a template has asked what day it is.
#[derive(Debug, Default, Clone)]
pub(super) struct TimeAsked(Arc<AtomicBool>);

impl TimeAsked {
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same with transformers' settings: undefined variables are empty, blocks take their lines away, values print as
/// Python has them. `date` is what `strftime_now` tells; without one, it is today, and the time_asked notes that it was
/// asked.
pub(super) fn chat_environment(date: Option<Date>) -> (Environment<'static>, TimeAsked) {
    let mut env = environment();
    env.set_undefined_behavior(UndefinedBehavior::Lenient);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        env.set_syntax(syntax);
    }
    env.set_formatter(|out, state, value| match value.kind() {
        ValueKind::String => minijinja::escape_formatter(out, state, value),
        _ => out.write_str(&jinja_text::text(value)).map_err(Error::from),
    });
    let time_asked = TimeAsked::default();
    let asked = time_asked.clone();
    env.add_function("strftime_now", move |format: &str| {
        let format = &pythons(format);
        let time = match date {
            Some(date) => date.to_zoned(TimeZone::UTC).and_then(|midnight| strtime::format(format, &midnight)),
            None => {
                asked.0.store(true, Ordering::Relaxed);
                strtime::format(format, &Zoned::now())
            }
        };
        time.map_err(|e| Error::new(ErrorKind::InvalidOperation, format!("strftime_now({format:?}): {e}")))
    });
    (env, time_asked)
}

/// A format of Python's `strftime` with what stands otherwise in jiff's: transformers' time has no zone, and Python's C
/// locale writes dates in a form of its own.
fn pythons(format: &str) -> String {
    let mut out = String::with_capacity(format.len());
    let mut left = format.chars();
    while let Some(c) = left.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match left.next() {
            Some('c') => out.push_str("%a %b %e %H:%M:%S %Y"),
            Some('x') => out.push_str("%m/%d/%y"),
            Some('X') => out.push_str("%H:%M:%S"),
            Some('f') => out.push_str("%6f"),
            Some('Z' | 'z') => {}
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

/// A rendered text without the marks of `{% generation %}` blocks, and where those blocks were, in bytes.
pub(super) fn blocks(rendered: &str) -> (String, Vec<Range<usize>>) {
    let (mut text, mut spans) = (String::with_capacity(rendered.len()), Vec::new());
    let mut pieces = rendered.split(OPEN);
    text.extend(pieces.next());
    for piece in pieces {
        let (inside, after) = piece.split_once(CLOSE).unwrap_or((piece, ""));
        let start = text.len();
        text.push_str(inside);
        spans.push(start..text.len());
        text.push_str(after);
    }
    (text, spans)
}

fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Map | ValueKind::Seq => {
            let json =
                serde_json::to_string(value).map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))?;
            out.write_str(&json).map_err(Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::{context, value::Serde};
    use serde_json::json;

    fn render(source: &str) -> String {
        let x = json!({ "b": "<é>", "a": [1, true] });
        chat_environment(None).0.render_str(&chat_source(source), context!(x => Serde(x))).unwrap()
    }

    /// Expected: tests/reference/jinja.py, which renders in transformers' environment.
    #[test]
    fn templates_print_what_they_print_in_transformers() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/chat/expressions.json");
        let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
        let date = golden["date"].as_str().unwrap().parse().unwrap();
        let (env, _) = chat_environment(Some(date));
        let mut wrong = Vec::new();
        let cases = golden["cases"].as_array().unwrap();
        for case in cases {
            let source = chat_source(case["template"].as_str().unwrap());
            let found = env.render_str(&source, Serde(&golden["variables"]));
            let found = found.map(|text| blocks(&text).0);
            match (&found, case["text"].as_str()) {
                (Ok(found), Some(text)) if found == text => {}
                (Err(_), None) => {}
                _ => wrong.push(format!("{case}\n    found {}", found.unwrap_or_else(|e| e.to_string()))),
            }
        }
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    }

    #[test]
    fn inline_templates_print_objects_as_json() {
        let x = json!({ "b": "<é>", "a": [1, true] });
        assert_eq!(
            environment().render_str("{{ x }}", context!(x => Serde(x))).unwrap(),
            r#"{"b":"<é>","a":[1,true]}"#
        );
    }

    #[test]
    fn generation_blocks_are_found() {
        let text = render("é{% for i in [1, 2] %}\n<{% generation %}\n  {{ i }}\n{%- endgeneration -%}\n>{% endfor %}");
        assert_eq!(blocks(&text), ("é<  1><  2>".to_owned(), vec![3..6, 8..11]));
    }

    #[test]
    fn the_clock_tells_whether_it_was_asked() {
        let (env, time_asked) = chat_environment(Some(jiff::civil::date(2024, 7, 6)));
        let source = "{{ strftime_now('%d %b %Y, %A, %-d %B, %H:%M') }}";
        assert_eq!(env.render_str(source, ()).unwrap(), "06 Jul 2024, Saturday, 6 July, 00:00");
        assert!(!time_asked.asked());
        let (env, time_asked) = chat_environment(None);
        assert_eq!(env.render_str("{{ strftime_now('%Y') | length }}", ()).unwrap(), "4");
        assert!(time_asked.asked());
        let e = env.render_str("{{ strftime_now('%!') }}", ()).unwrap_err().to_string();
        assert!(e.contains("strftime_now"), "{e}");
    }
}
