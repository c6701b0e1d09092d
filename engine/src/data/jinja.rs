//! Jinja as Hugging Face's chat templates expect it.

use minijinja::{
    Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Kwargs,
    value::ValueKind,
};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};
use std::io::{self, Write};

/// An environment that leaves text as it is: no HTML escapes; objects print as JSON.
pub(super) fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    env.set_formatter(print);
    env.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    env.add_function("raise_exception", |message: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    env.add_filter("tojson", tojson);
    env
}

/// The same with transformers' settings: undefined variables are empty, blocks take their lines away.
pub(super) fn chat_environment() -> Environment<'static> {
    let mut env = environment();
    env.set_undefined_behavior(UndefinedBehavior::Lenient);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        env.set_syntax(syntax);
    }
    env
}

fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Map | ValueKind::Seq => out.write_str(&json(value, CompactFormatter)?).map_err(Error::from),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// Python's `json.dumps(value, ensure_ascii=False)`, which transformers' `tojson` is.
fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    match options.get::<Option<usize>>("indent")? {
        Some(indent) => json(value, PrettyFormatter::with_indent(" ".repeat(indent).as_bytes())),
        None => json(value, Spaced),
    }
}

fn json(value: &Value, formatter: impl Formatter) -> Result<String, Error> {
    let mut out = Vec::new();
    let written = value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter));
    written.map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// A space after each comma and colon.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        w.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(source: &str) -> String {
        let x = json!({ "b": "<é>", "a": [1, true] });
        chat_environment().render_str(source, minijinja::context!(x => minijinja::value::Serde(x))).unwrap()
    }

    /// Expected: Python's json.dumps({"b": "<é>", "a": [1, True]}, ensure_ascii=False[, indent=2]).
    #[test]
    fn json_is_pythons() {
        assert_eq!(render("{{ x | tojson }}"), r#"{"b": "<é>", "a": [1, true]}"#);
        assert_eq!(render("{{ x.a | tojson(indent=2) }}"), "[\n  1,\n  true\n]");
        assert_eq!(render("{{ x }}"), r#"{"b":"<é>","a":[1,true]}"#);
    }

    #[test]
    fn python_methods_and_loop_controls_work() {
        assert_eq!(render("{{ ' a<b '.strip().split('<')[-1] }}"), "b");
        assert_eq!(
            render("{% for i in [1, 2, 3] %}\n  {% if i == 2 %}\n{% break %}{% endif %}\n{{ i }}{% endfor %}"),
            "1"
        );
    }
}
