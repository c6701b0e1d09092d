//! Jinja's filters and functions that minijinja does not have, or that fail there on undefined values.

use super::jinja_text::{repr, text};
use minijinja::{
    Environment, Error, ErrorKind, Value,
    value::{Kwargs, Rest, Serde, ValueKind, from_args},
};
use regex::Regex;
use serde::{Serialize, Serializer};
use std::sync::LazyLock;

pub(super) fn install(env: &mut Environment<'static>) {
    for name in ["length", "count"] {
        env.add_filter(name, |value: &Value| match value.is_undefined() {
            true => Ok(0),
            false => minijinja::filters::length(value),
        });
    }
    env.add_filter("first", |value: &Value| match value.is_undefined() || value.len() == Some(0) {
        true => Ok(Value::UNDEFINED),
        false => minijinja::filters::first(value),
    });
    env.add_filter("last", |value: Value| match value.is_undefined() || value.len() == Some(0) {
        true => Ok(Value::UNDEFINED),
        false => minijinja::filters::last(value),
    });
    env.add_filter("items", |value: &Value| match value.is_undefined() {
        true => Ok(Value::from(Vec::<Value>::new())),
        false => minijinja::filters::items(value),
    });
    env.add_filter("replace", |value: &Value, from: &str, to: &str, most: Option<usize>| match most {
        Some(most) => text(value).replacen(from, to, most),
        None => text(value).replace(from, to),
    });
    env.add_filter("percent", |format: &str, values: &Value| percent(format, values));
    env.add_filter("format", |format: &str, values: Rest<Value>| percent(format, &Value::from(values.0)));
    env.add_filter("truncate", truncate);
    env.add_filter("wordcount", |value: &Value| {
        static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\w+").unwrap_or_else(|e| panic!("{e}")));
        WORD.find_iter(&text(value)).count()
    });
    env.add_filter("center", |value: &Value, width: Option<usize>| centered(&text(value), width.unwrap_or(80), ' '));
    env.add_filter("striptags", |value: &Value| minijinja_contrib::filters::striptags(text(value)));
    env.add_filter("filesizeformat", minijinja_contrib::filters::filesizeformat);
    env.add_filter("random", random);
    env.add_function("dict", dict);
    env.add_function("cycler", |items: Rest<Value>| minijinja_contrib::globals::cycler(items.0));
    env.add_function("joiner", minijinja_contrib::globals::joiner);
}

/// Python's `format % values`.
fn percent(format: &str, values: &Value) -> Result<String, Error> {
    static PLACE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"%(?:\((\w*)\))?([-+ 0#]*)(\d*)(?:\.(\d+))?([a-zA-Z%])").unwrap_or_else(|e| panic!("{e}"))
    });
    let wrong = |message: &str| Error::new(ErrorKind::InvalidOperation, message.to_owned());
    // A list stands for Python's tuple unless it is the only value that is asked for.
    let places = PLACE.captures_iter(format).filter(|found| &found[5] != "%").count();
    let list = values.kind() == ValueKind::Seq && values.len() == Some(places);
    let mut given = if list { values.try_iter()?.collect() } else { vec![values.clone()] }.into_iter();
    let (mut out, mut at) = (String::new(), 0);
    for found in PLACE.captures_iter(format) {
        let whole = found.get(0).map_or(at..at, |whole| whole.range());
        out.push_str(&format[at..whole.start]);
        at = whole.end;
        if &found[5] == "%" {
            out.push('%');
            continue;
        }
        let value = match found.get(1) {
            Some(name) => values.get_attr(name.as_str())?,
            None => given.next().ok_or_else(|| wrong("not enough arguments for format string"))?,
        };
        let digits = found.get(4).and_then(|digits| digits.as_str().parse().ok());
        out.push_str(&padded(&converted(&value, &found[5], digits)?, &found[2], found[3].parse().unwrap_or(0)));
    }
    if !list && values.kind() != ValueKind::Map && given.next().is_some() {
        return Err(wrong("not all arguments converted during string formatting"));
    }
    Ok(out + &format[at..])
}

fn converted(value: &Value, kind: &str, digits: Option<usize>) -> Result<String, Error> {
    let whole = || i128::try_from(value.clone()).or_else(|_| f64::try_from(value.clone()).map(|x| x as i128));
    let float = || f64::try_from(value.clone());
    Ok(match kind {
        "s" => text(value).chars().take(digits.unwrap_or(usize::MAX)).collect(),
        "r" => repr(value),
        "d" | "i" | "u" => whole()?.to_string(),
        "x" => format!("{:x}", whole()?),
        "X" => format!("{:X}", whole()?),
        "o" => format!("{:o}", whole()?),
        "f" | "F" => format!("{:.*}", digits.unwrap_or(6), float()?),
        _ => return Err(Error::new(ErrorKind::InvalidOperation, format!("`%{kind}` is not supported in formats"))),
    })
}

fn padded(text: &str, flags: &str, width: usize) -> String {
    let signed = flags.contains('+') && text.starts_with(|c: char| c.is_ascii_digit());
    let text = if signed { format!("+{text}") } else { text.to_owned() };
    let missing = width.saturating_sub(text.chars().count());
    match text.strip_prefix(['-', '+']) {
        _ if flags.contains('-') => text + &" ".repeat(missing),
        Some(digits) if flags.contains('0') => format!("{}{}{digits}", &text[..1], "0".repeat(missing)),
        None if flags.contains('0') => "0".repeat(missing) + &text,
        _ => " ".repeat(missing) + &text,
    }
}

/// Cut to a length, at a word's border unless `killwords`; up to `leeway` more characters are left.
fn truncate(value: &Value, options: Rest<Value>) -> Result<String, Error> {
    let (given, named): (&[Value], Kwargs) = from_args(&options)?;
    let (length, killwords, end, leeway): (Option<usize>, Option<bool>, Option<&str>, Option<usize>) =
        from_args(given)?;
    let length = length.or(named.get("length")?).unwrap_or(255);
    let killwords = killwords.or(named.get("killwords")?).unwrap_or(false);
    let end = end.or(named.get("end")?).unwrap_or("...");
    let leeway = leeway.or(named.get("leeway")?).unwrap_or(5);
    named.assert_all_used()?;
    let text = text(value);
    if text.chars().count() <= length + leeway {
        return Ok(text);
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    let words = if killwords { None } else { kept.rsplit_once(' ').map(|(words, _)| words.to_owned()) };
    Ok(words.unwrap_or(kept) + end)
}

/// In the middle of so many characters, as Python's `str.center` puts it.
pub(super) fn centered(text: &str, width: usize, fill: char) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = missing / 2 + (missing & width & 1);
    let fill = |n| std::iter::repeat_n(fill, n).collect::<String>();
    format!("{}{text}{}", fill(left), fill(missing - left))
}

/// One of the items, always the same of the same ones: prompts must not differ from one rendering to the next.
fn random(values: &Value) -> Result<Value, Error> {
    let items: Vec<Value> = values.try_iter()?.collect();
    let mixed = repr(values).bytes().fold(0_usize, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(byte.into()));
    let place = mixed % items.len().max(1);
    Ok(items.into_iter().nth(place).unwrap_or_default())
}

/// The entries of a mapping, in order.
struct Entries(Vec<(Value, Value)>);

impl Serialize for Entries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// Python's `dict`, of a mapping or of pairs, with more entries by name.
fn dict(given: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let mut entries: Vec<(Value, Value)> = Vec::new();
    if let Some(given) = given {
        for entry in given.try_iter()? {
            match given.kind() {
                ValueKind::Map => entries.push((entry.clone(), given.get_item(&entry)?)),
                _ => entries.push((entry.get_item_by_index(0)?, entry.get_item_by_index(1)?)),
            }
        }
    }
    for name in named.args() {
        entries.push((name.into(), named.get(name)?));
    }
    Ok(Serde(Entries(entries)).into())
}
