//! Values as Python writes them: `str`, `repr` and `json.dumps`.

use minijinja::{
    Error, ErrorKind, Value,
    value::{Kwargs, ValueKind},
};
use std::fmt::Write;

/// Python's `str`, as Jinja prints: undefined is empty.
pub(super) fn text(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::String => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        _ => repr(value),
    }
}

/// Python's `repr`.
pub(super) fn repr(value: &Value) -> String {
    let list = |open: &str, close: &str| {
        let items: Vec<_> = value.try_iter().into_iter().flatten().map(|item| repr(&item)).collect();
        format!("{open}{}{close}", items.join(", "))
    };
    match value.kind() {
        ValueKind::Undefined => "Undefined".into(),
        ValueKind::None => "None".into(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.into(),
        ValueKind::Number => number(value),
        ValueKind::String => quoted(value.as_str().unwrap_or_default()),
        ValueKind::Map => {
            let item = |key: Value| {
                let item = value.get_item(&key).unwrap_or_default();
                format!("{}: {}", repr(&key), repr(&item))
            };
            let items: Vec<_> = value.try_iter().into_iter().flatten().map(item).collect();
            format!("{{{}}}", items.join(", "))
        }
        ValueKind::Seq | ValueKind::Iterable => list("[", "]"),
        _ => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        let code = u32::from(c);
        _ = match c {
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            _ if c == quote => write!(out, "\\{c}"),
            _ if c.is_control() || c == '\u{a0}' || c == '\u{ad}' => write!(out, "\\x{code:02x}"),
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{3000}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}' => {
                write!(out, "\\u{code:04x}")
            }
            _ => write!(out, "{c}"),
        };
    }
    out.push(quote);
    out
}

/// Whole numbers as they are, others with the fewest digits that read back the same.
fn number(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(x) if !value.is_integer() => float(x),
        _ => value.to_string(),
    }
}

fn float(x: f64) -> String {
    if !x.is_finite() {
        return x.to_string().to_lowercase();
    }
    let scientific = format!("{x:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match exponent {
        -4..16 if x.fract() == 0.0 => format!("{x:.1}"),
        -4..16 => format!("{x}"),
        _ => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

/// How `json.dumps` is asked to write.
struct Json {
    ascii: bool,
    indent: Option<String>,
    item: String,
    key: String,
    sorted: bool,
}

/// The filter `tojson` of transformers: `json.dumps` without HTML escapes.
pub(super) fn tojson(value: &Value, ascii: Option<bool>, options: Kwargs) -> Result<String, Error> {
    let indent: Option<Value> = options.get("indent")?;
    let indent = indent.filter(|indent| !indent.is_none()).map(|indent| match indent.as_usize() {
        Some(n) => " ".repeat(n),
        None => text(&indent),
    });
    let separators: Option<Value> = options.get("separators")?;
    let separators: Option<Vec<String>> =
        separators.filter(|s| !s.is_none()).and_then(|s| Some(s.try_iter().ok()?.map(|s| text(&s)).collect()));
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        _ => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
    };
    let ascii = ascii.or(options.get("ensure_ascii")?).unwrap_or(false);
    let json = Json { ascii, indent, item, key, sorted: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false) };
    options.assert_all_used()?;
    let mut out = String::new();
    json.write(&mut out, value, 0)?;
    Ok(out)
}

impl Json {
    fn write(&self, out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => match number(value).as_str() {
                "nan" => out.push_str("NaN"),
                "inf" => out.push_str("Infinity"),
                "-inf" => out.push_str("-Infinity"),
                number => out.push_str(number),
            },
            ValueKind::String => self.string(out, value.as_str().unwrap_or_default()),
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sorted {
                    keys.sort();
                }
                self.list(out, ('{', '}'), &keys, depth, |json, out, key| {
                    let name = if key.kind() == ValueKind::String { text(key) } else { json.plain(key)? };
                    json.string(out, &name);
                    out.push_str(&json.key);
                    json.write(out, &value.get_item(key)?, depth + 1)
                })?;
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.list(out, ('[', ']'), &items, depth, |json, out, item| json.write(out, item, depth + 1))?;
            }
            kind => {
                let message = format!("Object of type {kind} is not JSON serializable");
                return Err(Error::new(ErrorKind::BadSerialization, message));
            }
        }
        Ok(())
    }

    /// A key that is not a string.
    fn plain(&self, key: &Value) -> Result<String, Error> {
        let mut out = String::new();
        self.write(&mut out, key, 0)?;
        Ok(out)
    }

    fn list(
        &self,
        out: &mut String,
        (open, close): (char, char),
        items: &[Value],
        depth: usize,
        write: impl Fn(&Self, &mut String, &Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.push(open);
        let line = |out: &mut String, depth| {
            if let Some(indent) = &self.indent {
                out.push('\n');
                out.push_str(&indent.repeat(depth));
            }
        };
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                out.push_str(&self.item);
            }
            line(out, depth + 1);
            write(self, out, item)?;
        }
        if !items.is_empty() {
            line(out, depth);
        }
        out.push(close);
        Ok(())
    }

    fn string(&self, out: &mut String, text: &str) {
        out.push('"');
        for c in text.chars() {
            _ = match c {
                '"' => write!(out, "\\\""),
                '\\' => write!(out, "\\\\"),
                '\n' => write!(out, "\\n"),
                '\r' => write!(out, "\\r"),
                '\t' => write!(out, "\\t"),
                '\u{8}' => write!(out, "\\b"),
                '\u{c}' => write!(out, "\\f"),
                _ if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c)),
                _ if self.ascii && !c.is_ascii() => {
                    c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
                }
                _ => write!(out, "{c}"),
            };
        }
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: Python's repr.
    #[test]
    fn floats_are_pythons() {
        let floats = [0.1, 1.0, -2.5, 1e15, 1e16, 123456789.125, 0.0001, 0.00001, 5e-324, 1.5e300];
        let expected = [
            "0.1",
            "1.0",
            "-2.5",
            "1000000000000000.0",
            "1e+16",
            "123456789.125",
            "0.0001",
            "1e-05",
            "5e-324",
            "1.5e+300",
        ];
        assert_eq!(floats.map(float), expected);
    }

    /// Expected: Python's repr.
    #[test]
    fn strings_are_quoted_as_python_does() {
        for (text, expected) in [
            ("it's", r#""it's""#),
            ("it's \"it\"", r#"'it\'s "it"'"#),
            ("a\n\t\\\u{1}\u{7f}\u{a0}é春", r"'a\n\t\\\x01\x7f\xa0é春'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
