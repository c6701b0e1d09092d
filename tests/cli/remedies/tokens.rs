//! Parts of a list of tokens.

use super::lexer::Token;
use std::ops::Range;

/// Where tokens spelled like this begin.
pub fn calls(tokens: &[Token], spelling: &str) -> Vec<usize> {
    let wanted = super::lexer::tokens(spelling);
    (0..tokens.len()).filter(|at| tokens[*at..].starts_with(&wanted)).collect()
}

/// How they are spelled, without spaces.
pub fn spelled(tokens: &[Token]) -> String {
    let word = |token: &Token| match token {
        Token::Word(word) => word.clone(),
        Token::Text(text) => format!("{text:?}"),
        Token::Mark(mark) => mark.to_string(),
    };
    tokens.iter().map(word).collect()
}

/// Where the bracket that opens at `open` closes.
pub fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Mark('(' | '[' | '{') => depth += 1,
            Token::Mark(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// The parts of a list between commas at its own depth.
pub fn parts(tokens: &[Token], list: Range<usize>) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut at) = (Vec::new(), list.start, list.start);
    while at < list.end {
        match &tokens[at] {
            Token::Mark('(' | '[' | '{') => at = closing(tokens, at),
            Token::Mark(',') => {
                parts.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(start..list.end);
    parts
}
