//! Numbers in JSON that 64 bits do not hold.

use std::{borrow::Cow, ops::Range};

/// The digits that a 64-bit float holds at most.
const DIGITS: usize = 17;

/// JSON in which numbers that would lose digits are strings of their text: integers beyond 64 bits, and fractions of
/// more than 17 digits. Records are text in the end, so that `12345678901234567890123` stays what it is.
pub fn exact(json: &[u8]) -> Cow<'_, [u8]> {
    let long = |range: &Range<usize>| loses_digits(&json[range.clone()]);
    let mut found = numbers(json).filter(long).peekable();
    if found.peek().is_none() {
        return Cow::Borrowed(json);
    }
    let (mut out, mut at) = (Vec::with_capacity(json.len() + 16), 0);
    for range in found {
        out.extend_from_slice(&json[at..range.start]);
        out.push(b'"');
        out.extend_from_slice(&json[range.clone()]);
        out.push(b'"');
        at = range.end;
    }
    out.extend_from_slice(&json[at..]);
    Cow::Owned(out)
}

/// What a word that is no value of JSON should be, if it is a number in other languages.
pub fn no_number(rest: &[u8]) -> Option<&'static str> {
    let rest = rest.strip_prefix(b"-").unwrap_or(rest);
    ["NaN", "nan", "Infinity", "inf", "None"].into_iter().find(|word| rest.starts_with(word.as_bytes()))
}

fn is_part(b: u8) -> bool {
    b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')
}

/// Where numbers of more than 17 characters stand.
fn numbers(json: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let (mut at, mut in_string) = (0, false);
    std::iter::from_fn(move || {
        while at < json.len() {
            match json[at] {
                b'\\' if in_string => at += 1,
                b'"' => in_string = !in_string,
                b if !in_string && (b == b'-' || b.is_ascii_digit()) => {
                    let length = json[at..].iter().take_while(|b| is_part(**b)).count();
                    let range = at..at + length;
                    at = range.end;
                    if length > DIGITS {
                        return Some(range);
                    }
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        None
    })
}

fn loses_digits(number: &[u8]) -> bool {
    let text = std::str::from_utf8(number).unwrap_or_default();
    let well_formed = serde_number(text);
    let whole = !number.iter().any(|b| matches!(b, b'.' | b'e' | b'E'));
    if whole {
        return well_formed && text.parse::<i64>().is_err() && text.parse::<u64>().is_err();
    }
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
    well_formed && digits > DIGITS && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Whether it is a number of JSON, so that it is not by the quotes that a malformed one becomes a value.
fn serde_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    !leading_zero
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_would_lose_digits_become_text() {
        let same = [
            r#"{"a": 18446744073709551615, "b": -9223372036854775808, "c": 0.12345678901234567}"#,
            r#"{"a": "12345678901234567890123", "b": "\\\"12345678901234567890123"}"#,
            r#"{"a": 1e400, "b": 000000000000000000001, "c": 1234567890123456789012.}"#,
            r#"[0.00000000000000000000125, 1.0000]"#,
        ];
        for json in same {
            assert_eq!(String::from_utf8_lossy(&exact(json.as_bytes())), json);
        }
        let json = r#"{"a": 12345678901234567890123, "b":[-18446744073709551616,3.14159265358979323846],"c":1}"#;
        let expected =
            r#"{"a": "12345678901234567890123", "b":["-18446744073709551616","3.14159265358979323846"],"c":1}"#;
        assert_eq!(String::from_utf8_lossy(&exact(json.as_bytes())), expected);
    }
}
