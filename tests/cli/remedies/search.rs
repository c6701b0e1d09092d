//! What texts an expression can be, as far as a reading of the file tells.

use super::{
    lexer::{Token, one_line},
    tokens::{calls, closing, parts, spelled},
};
use std::{collections::BTreeSet, ops::Range};

/// A source file.
pub struct File {
    pub name: String,
    pub tokens: Vec<Token>,
}

/// A search for texts in a file.
pub struct Search<'a> {
    pub files: &'a [File],
    pub file: &'a File,
    pub deep: usize,
    /// How many words a text has at least.
    pub words: usize,
}

impl<'a> Search<'a> {
    /// The texts that an expression can be.
    pub fn texts(&self, expression: Range<usize>, found: &mut BTreeSet<String>) {
        let tokens = &self.file.tokens;
        if self.deep > 4 {
            return;
        }
        let mut skip = expression.start;
        for at in expression.clone() {
            if at < skip {
                continue;
            }
            match &tokens[at] {
                Token::Text(text) if is_sentence(text, self.words) => _ = found.insert(one_line(text)),
                // Of `format!("…", arguments)`, `names.join("…")`: what follows a literal is not the sentence.
                Token::Word(word) => {
                    let after = tokens.get(at + 1);
                    let before = at.checked_sub(1).map(|at| &tokens[at]);
                    let field = before == Some(&Token::Mark('.'));
                    if word.chars().all(|c| c.is_uppercase() || c == '_') && !field {
                        self.constant(word, found);
                    } else if after == Some(&Token::Mark('(')) && !field {
                        self.function(word, found);
                    } else if after == Some(&Token::Mark('!')) {
                    } else if !field && after != Some(&Token::Mark(':')) {
                        self.variable(word, expression.start, found);
                    }
                }
                _ => {}
            }
            skip = at + 1;
        }
    }

    fn deeper(&self, file: &'a File) -> Search<'a> {
        Search { files: self.files, file, deep: self.deep + 1, words: self.words }
    }

    fn constant(&self, name: &str, found: &mut BTreeSet<String>) {
        for file in self.files {
            for at in calls(&file.tokens, &format!("const {name}:")) {
                let end = (at..file.tokens.len()).find(|at| file.tokens[*at] == Token::Mark(';'));
                // Of a list, which of them it is cannot be told.
                let text = [Token::Mark('&'), Token::Word("str".into()), Token::Mark('=')];
                if !file.tokens[at + 3..].starts_with(&text) {
                    continue;
                }
                self.deeper(file).texts(at + 3..end.unwrap_or(file.tokens.len()), found);
            }
        }
    }

    /// The texts in a function of the same file that returns text.
    fn function(&self, name: &str, found: &mut BTreeSet<String>) {
        for at in calls(&self.file.tokens, &format!("fn {name}(")) {
            let end = closing(&self.file.tokens, at + 2);
            let body = (end..self.file.tokens.len()).find(|at| self.file.tokens[*at] == Token::Mark('{'));
            let Some(body) = body else { continue };
            if spelled(&self.file.tokens[end..body]).contains("String")
                || spelled(&self.file.tokens[end..body]).contains("str")
            {
                self.deeper(self.file).texts(body + 1..closing(&self.file.tokens, body), found);
            }
        }
    }

    /// What a variable that is used at `at` is bound to: by the last `let`, or as a parameter.
    fn variable(&self, name: &str, at: usize, found: &mut BTreeSet<String>) {
        let tokens = &self.file.tokens;
        let word = |text: &str| Token::Word(text.to_owned());
        for back in (0..at).rev() {
            if tokens[back] == word("let") {
                let Some(equals) = (back..at).find(|at| tokens[*at] == Token::Mark('=')) else { continue };
                let end = {
                    let mut end = equals;
                    while end < tokens.len() && tokens[end] != Token::Mark(';') {
                        if matches!(tokens[end], Token::Mark('(' | '[' | '{')) {
                            end = closing(tokens, end);
                        }
                        end += 1;
                    }
                    end
                };
                let is_name = tokens[back..equals].contains(&word(name)) && end <= at;
                if is_name {
                    return self.deeper(self.file).texts(equals + 1..end, found);
                }
                // `let refused = |message, help| …`
                let bar = Token::Mark('|');
                let open = equals + 1 + usize::from(tokens.get(equals + 1) == Some(&word("move")));
                if tokens.get(open) == Some(&bar) && end > at {
                    let Some(close) = (open + 1..at).find(|at| tokens[*at] == bar) else { continue };
                    if let Some(position) = position(tokens, open + 1..close, name)
                        && let Token::Word(closure) = &tokens[back + 1]
                    {
                        return self.given(self.file, closure, position, end, found);
                    }
                }
            }
            if tokens[back] == word("fn") {
                let Token::Word(function) = &tokens[back + 1] else { return };
                let Some(open) = (back..at).find(|at| tokens[*at] == Token::Mark('(')) else { return };
                if let Some(position) = position(tokens, open + 1..closing(tokens, open), name) {
                    let files = self.files.iter().filter(|file| file.name == self.file.name || function.len() > 8);
                    files.for_each(|file| self.given(file, function, position, 0, found));
                }
                return;
            }
        }
    }

    /// The texts that calls of a function have at a position, behind a place of the file.
    fn given(&self, file: &'a File, function: &str, position: usize, from: usize, found: &mut BTreeSet<String>) {
        for at in calls(&file.tokens, &format!("{function}(")) {
            let definition = at > 0 && file.tokens[at - 1] == Token::Word("fn".into());
            if at < from || definition {
                continue;
            }
            let list = parts(&file.tokens, at + 2..closing(&file.tokens, at + 1));
            if let Some(part) = list.get(position) {
                self.deeper(file).texts(part.clone(), found);
            }
        }
    }
}

/// At which position a list of parameters has a name; `self` does not count.
fn position(tokens: &[Token], list: Range<usize>, name: &str) -> Option<usize> {
    let own = |part: &Range<usize>| spelled(&tokens[part.clone()]).trim_start_matches('&') == "self";
    let list: Vec<_> = parts(tokens, list).into_iter().filter(|part| !own(part)).collect();
    list.iter().position(|part| tokens[part.clone()].first() == Some(&Token::Word(name.to_owned())))
}

/// Whether a text is a sentence of so many words or more: what joins and surrounds is not.
fn is_sentence(text: &str, words: usize) -> bool {
    let bare: String = text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect();
    let is_word = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() > 1;
    text.contains(' ') && bare.split_whitespace().filter(is_word).count() >= words
}
