//! As much of Rust's lexical grammar as it takes to find string literals and what they are given to.

/// A part of a source file. Comments, numbers, characters and lifetimes are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

/// A text with one space for each run of white space.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The tokens of a source file without what is `#[cfg(test)]`.
pub fn tokens(source: &str) -> Vec<Token> {
    without_tests(all(source))
}

fn all(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if first == '"' {
            rest = string(&rest[1..], &mut found);
        } else if let Some(raw) = raw(rest) {
            let (text, after) = raw;
            found.push(Token::Text(text.to_owned()));
            rest = after;
        } else if word > 0 {
            if !first.is_ascii_digit() && !matches!(rest[word..].chars().next(), Some('"')) {
                found.push(Token::Word(rest[..word].to_owned()));
            }
            rest = &rest[word..];
        } else if first == '\'' {
            rest = &rest[quote(rest)..];
        } else {
            if !first.is_whitespace() {
                found.push(Token::Mark(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    found
}

/// The length of a character literal, or of the quote that begins a lifetime.
fn quote(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(text.len(), |at| at + 4),
        Some(_) => characters.next().filter(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 1),
        None => text.len(),
    }
}

/// A raw string and what follows it.
fn raw(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = text.len() - text.trim_start_matches('#').len();
    let inside = text[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    inside.split_once(end.as_str())
}

/// Reads a string literal, its opening quote left out; returns what follows it.
fn string<'a>(source: &'a str, found: &mut Vec<Token>) -> &'a str {
    let (mut text, mut characters) = (String::new(), source.char_indices());
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => {
                found.push(Token::Text(text));
                return &source[at + 1..];
            }
            '\\' => match characters.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((at, '\n')) => {
                    let left = source[at..].trim_start();
                    characters = source.char_indices();
                    let start = source.len() - left.len();
                    while characters.clone().next().is_some_and(|(at, _)| at < start) {
                        characters.next();
                    }
                }
                Some((_, other)) => text.push(other),
                None => {}
            },
            other => text.push(other),
        }
    }
    ""
}

/// Leaves out each item behind `#[cfg(test)]`: up to its `;`, or to the end of its braces.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let test = all("#[cfg(test)]");
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if !tokens[at..].starts_with(&test) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += test.len();
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                Token::Mark('{') => depth += 1,
                Token::Mark('}') if depth == 1 => break,
                Token::Mark('}') => depth -= 1,
                Token::Mark(';') if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

#[test]
fn literals_are_found() {
    let source = r##"
        // "no"
        fn f<'a>(c: char) { let x = "a \"b\" \
            c"; if c == '"' || c == '\'' { g(r#"d"#, 'e', b"f") } }
        #[cfg(test)]
        mod tests { const A: &str = "no"; }
        const B: &str = "é";
    "##;
    let texts: Vec<_> =
        tokens(source).into_iter().filter_map(|t| if let Token::Text(t) = t { Some(t) } else { None }).collect();
    assert_eq!(texts, ["a \"b\" c", "d", "f", "é"]);
}
