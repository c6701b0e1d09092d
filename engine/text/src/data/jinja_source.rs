//! Sources of chat templates as minijinja takes them.
//!
//! What Jinja reads otherwise is rewritten: line ends, escapes in strings, `'%s' % value`, and `{% generation %}`,
//! which is a block of transformers' own.

use regex::Regex;
use std::sync::LazyLock;

/// Stand around what a `{% generation %}` block renders: characters that no text has in this order.
pub(super) const OPEN: &str = "\u{f8fc}\u{f8fe}\u{f8fc}";
pub(super) const CLOSE: &str = "\u{f8fd}\u{f8fe}\u{f8fd}";

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|e| panic!("{e}"))
}

/// The source for an environment of chat templates.
pub(super) fn chat_source(source: &str) -> String {
    static BLOCK: LazyLock<Regex> = LazyLock::new(|| pattern(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}"));
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    // Two tags, so that white space is taken away on the left of the first and on the right of the second. A scope, not
    // a call: a call's body does not see namespaces that it only assigns to.
    let block = |found: &regex::Captures| {
        let (tag, mark) = if found.get(2).is_some() { ("endwith", CLOSE) } else { ("with", OPEN) };
        format!("{{%{} {tag} %}}{mark}{{% {tag} {}%}}", &found[1], &found[3])
    };
    tags(&BLOCK.replace_all(&source, block))
}

/// Rewrites what stands in tags.
fn tags(source: &str) -> String {
    static TAG: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r#"(?s)\{#.*?#\}|\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}|\{[{%](?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^"'])*?[%}]\}"#,
        )
    });
    let tag = |found: &regex::Captures| {
        let tag = &found[0];
        let kept = tag.starts_with("{#") || (tag.starts_with("{%") && tag.contains("endraw"));
        if kept { tag.to_owned() } else { expression(tag) }
    };
    TAG.replace_all(source, tag).into_owned()
}

/// A tag with strings as minijinja reads them, and with a filter in the place of `%` after a string.
fn expression(tag: &str) -> String {
    static STRING: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?s)"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"#));
    static PERCENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*%\s*"));
    let (mut out, mut at) = (String::new(), 0);
    while let Some(found) = STRING.find_at(tag, at) {
        out.push_str(&tag[at..found.start()]);
        out.push_str(&string(found.as_str()));
        at = found.end();
        let operator = PERCENT.find(&tag[at..]).filter(|operator| !tag[at + operator.end()..].starts_with('}'));
        if let Some(operator) = operator {
            let start = at + operator.end();
            let end = start + operand(&tag[start..]);
            out.push_str(&format!("|percent({})", expression(&tag[start..end])));
            at = end;
        }
    }
    out + &tag[at..]
}

/// The length of the value that begins here: what is in brackets, a string or a name, with everything that follows it
/// without a space, and filters.
fn operand(text: &str) -> usize {
    let (mut depth, mut quote, mut before) = (0_usize, None, ' ');
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), _) if c == q && before != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') if depth == 0 => return at,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, _) if depth == 0 && !(c.is_alphanumeric() || "_.|".contains(c)) => {
                let (rest, filtered) = (text[at..].trim_start(), before == '|');
                if !(c.is_whitespace() && (rest.starts_with('|') || filtered)) {
                    return at;
                }
            }
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    text.len()
}

/// A string with the escapes that minijinja does not know written out.
fn string(text: &str) -> String {
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)\\(U[0-9a-fA-F]{8}|.)"));
    let escape = |found: &regex::Captures| match &found[1] {
        "\n" => String::new(),
        "a" => "\u{7}".into(),
        "v" => "\u{b}".into(),
        long if long.starts_with('U') => {
            let code = u32::from_str_radix(&long[1..], 16).ok().and_then(char::from_u32);
            code.map_or_else(|| found[0].to_owned(), String::from)
        }
        _ => found[0].to_owned(),
    };
    ESCAPE.replace_all(text, escape).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strings_in_tags_are_rewritten() {
        for (source, expected) in [
            ("a\\U0001F600 '%s' % x {# '%s' % x #}", "a\\U0001F600 '%s' % x {# '%s' % x #}"),
            ("{% raw %}{{ '%s' % x }}{% endraw %}", "{% raw %}{{ '%s' % x }}{% endraw %}"),
            ("{{ '%s' % x.a[0] ~ 'b' }}", "{{ '%s'|percent(x.a[0]) ~ 'b' }}"),
            ("{{ '%s' % x | upper }}", "{{ '%s'|percent(x | upper) }}"),
            ("{{ '%s%s' % ('}', f(y)) }}", "{{ '%s%s'|percent(('}', f(y))) }}"),
            ("{% if 'a' %}{{ '\\U0001F600' }}{% endif %}", "{% if 'a' %}{{ '😀' }}{% endif %}"),
            ("{% set x = 'a'%}b\r\n", "{% set x = 'a'%}b\n"),
        ] {
            assert_eq!(chat_source(source), expected);
        }
    }
}
