//! Methods of Python's strings and lists, filters and tests that chat templates use and minijinja does not have, or
//! has otherwise.

use super::{jinja_filters, jinja_text::text};
use minijinja::{
    Environment, Error, ErrorKind, State, Value,
    value::{Rest, ValueKind, from_args},
};

pub(super) fn install(env: &mut Environment<'static>) {
    env.set_unknown_method_callback(method);
    env.add_filter("string", |value: &Value| text(value));
    env.add_filter("join", join);
    let sized = |value: &Value| matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map);
    env.add_test("sequence", sized);
    env.add_test("iterable", move |value: &Value| {
        sized(value) || matches!(value.kind(), ValueKind::Iterable | ValueKind::Undefined)
    });
    env.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
}

fn join(values: &Value, between: Option<&str>, attribute: Option<&str>) -> Result<String, Error> {
    let item = |value: Value| match attribute {
        Some(name) => Ok(text(&value.get_attr(name)?)),
        None => Ok(text(&value)),
    };
    let items = values.try_iter()?.map(item).collect::<Result<Vec<_>, Error>>()?;
    Ok(items.join(between.unwrap_or_default()))
}

/// First what is missing from minijinja-contrib's list, then that list.
fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if let (Some(s), "startswith" | "endswith", [part, places @ ..]) = (value.as_str(), name, args)
        && !places.is_empty()
    {
        // Python's positions: what stands between them is looked at.
        let (start, end): (Option<i64>, Option<i64>) = from_args(places)?;
        let length = s.chars().count() as i64;
        let place = |at: i64| if at < 0 { (length + at).max(0) } else { at.min(length) };
        let (start, end) = (place(start.unwrap_or(0)), place(end.unwrap_or(length)));
        let within: String = s.chars().skip(start as usize).take((end - start).max(0) as usize).collect();
        return method(state, &within.into(), name, std::slice::from_ref(part));
    }
    if let Some(s) = value.as_str()
        && let Some(result) = string_method(s, name, args)
    {
        return result;
    }
    if value.kind() == ValueKind::Seq && matches!(name, "index" | "copy") {
        return list_method(value, name, args);
    }
    if value.kind() == ValueKind::Map && name == "copy" {
        return Ok(value.clone());
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args)
}

fn string_method(s: &str, name: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    Some(match name {
        "rsplit" => rsplit(s, args),
        "partition" | "rpartition" => partition(s, name == "rpartition", args),
        "removeprefix" => one(args).map(|prefix| s.strip_prefix(prefix).unwrap_or(s).into()),
        "removesuffix" => one(args).map(|suffix| s.strip_suffix(suffix).unwrap_or(s).into()),
        "rindex" => one(args).and_then(|part| match s.rfind(part) {
            Some(at) => Ok(s[..at].chars().count().into()),
            None => Err(Error::new(ErrorKind::InvalidOperation, "substring not found")),
        }),
        "center" => from_args(args)
            .map(|(width, fill): (usize, Option<char>)| jinja_filters::centered(s, width, fill.unwrap_or(' ')).into()),
        "expandtabs" => from_args(args).map(|(size,): (Option<usize>,)| expandtabs(s, size.unwrap_or(8)).into()),
        "istitle" => from_args::<()>(args).map(|()| (s.chars().any(char::is_alphabetic) && title(s) == s).into()),
        "isidentifier" => from_args::<()>(args).map(|()| {
            let first = s.starts_with(|c: char| c.is_alphabetic() || c == '_');
            (first && s.chars().all(|c| c.is_alphanumeric() || c == '_')).into()
        }),
        "translate" => from_args(args).and_then(|(table,): (&Value,)| translate(s, table)),
        "index" => one(args).and_then(|part| match s.find(part) {
            Some(at) => Ok(s[..at].chars().count().into()),
            None => Err(Error::new(ErrorKind::InvalidOperation, "substring not found")),
        }),
        "title" => from_args::<()>(args).map(|()| title(s).into()),
        "casefold" => from_args::<()>(args).map(|()| s.to_lowercase().into()),
        "swapcase" => from_args::<()>(args).map(|()| swapcase(s).into()),
        "zfill" | "ljust" | "rjust" => pad(s, name, args),
        _ => return None,
    })
}

fn one(args: &[Value]) -> Result<&str, Error> {
    let (text,): (&str,) = from_args(args)?;
    Ok(text)
}

fn rsplit(s: &str, args: &[Value]) -> Result<Value, Error> {
    let (between, most): (Option<&str>, Option<i64>) = from_args(args)?;
    let most = most.and_then(|most| usize::try_from(most).ok()).map_or(usize::MAX, |most| most.saturating_add(1));
    let parts: Vec<&str> = match between {
        Some("") => return Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        Some(between) => s.rsplitn(most, between).collect(),
        None => words_from_the_end(s, most),
    };
    Ok(parts.into_iter().rev().map(Value::from).collect())
}

/// At most `most` parts, the last of them what is left.
fn words_from_the_end(s: &str, most: usize) -> Vec<&str> {
    let (mut left, mut parts) = (s.trim_end(), Vec::new());
    while !left.is_empty() {
        match left.rfind(char::is_whitespace).filter(|_| parts.len() + 1 < most) {
            Some(at) => {
                let word = &left[at..];
                parts.push(word.trim_start());
                left = left[..at].trim_end();
            }
            None => {
                parts.push(left);
                break;
            }
        }
    }
    parts
}

fn partition(s: &str, last: bool, args: &[Value]) -> Result<Value, Error> {
    let between = one(args)?;
    let found = if last { s.rsplit_once(between) } else { s.split_once(between) };
    let parts = match found {
        Some((before, after)) => [before, between, after],
        None if last => ["", "", s],
        None => [s, "", ""],
    };
    Ok(parts.into_iter().map(Value::from).collect())
}

/// Spaces up to the next column that is a multiple of `size`.
fn expandtabs(s: &str, size: usize) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for c in s.chars() {
        match c {
            '\t' => {
                let spaces = if size == 0 { 0 } else { size - column % size };
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            _ => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

/// Characters that the table has, by their code points, are replaced; by none if it has null there.
fn translate(s: &str, table: &Value) -> Result<Value, Error> {
    let mut out = String::new();
    for c in s.chars() {
        let found = table.get_item(&Value::from(u32::from(c)))?;
        match found.as_usize().and_then(|code| char::from_u32(code as u32)) {
            _ if found.is_undefined() => out.push(c),
            _ if found.is_none() => {}
            Some(other) => out.push(other),
            None => out.push_str(&text(&found)),
        }
    }
    Ok(out.into())
}

/// Upper case after everything that has no case.
fn title(s: &str) -> String {
    let mut inside = false;
    let letter = |c: char| {
        let cased = c.is_lowercase() || c.is_uppercase();
        let out: String = if inside { c.to_lowercase().collect() } else { c.to_uppercase().collect() };
        inside = cased;
        out
    };
    s.chars().map(letter).collect()
}

fn swapcase(s: &str) -> String {
    let letter =
        |c: char| -> String { if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() } };
    s.chars().map(letter).collect()
}

fn pad(s: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let (width, fill): (usize, Option<&str>) = from_args(args)?;
    let missing = width.saturating_sub(s.chars().count());
    let filling = fill.unwrap_or(if name == "zfill" { "0" } else { " " }).repeat(missing);
    Ok(match name {
        "ljust" => format!("{s}{filling}"),
        "zfill" if s.starts_with(['-', '+']) => format!("{}{filling}{}", &s[..1], &s[1..]),
        _ => format!("{filling}{s}"),
    }
    .into())
}

fn list_method(value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if name == "copy" {
        return from_args::<()>(args).map(|()| value.clone());
    }
    let (what, _): (&Value, Rest<Value>) = from_args(args)?;
    let at = value.try_iter()?.position(|item| item == *what);
    at.map(Value::from).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the value is not in the list"))
}
