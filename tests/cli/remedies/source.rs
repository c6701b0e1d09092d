//! What the sources print as a remedy: every text that is given to `help`, and every other text that tells to do something.

use super::{
    lexer::{Token, one_line, tokens},
    search::{File, Search},
    tokens::{calls, closing, parts, spelled},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

/// The folders whose messages users see.
const FOLDERS: [&str; 6] = ["core/src", "sdk/src", "registry/src", "engine", "plugins", "src"];

/// A remedy: its text as the source has it, and the files that have it.
pub type Remedies = BTreeMap<String, BTreeSet<String>>;

/// All remedies. One whose text is not found stands for itself, as an expression in `‹…›`.
pub fn remedies(root: &Path) -> Remedies {
    let mut paths = Vec::new();
    FOLDERS.iter().for_each(|folder| files(&root.join(folder), &mut paths));
    let read = |path: &PathBuf| File {
        name: path.strip_prefix(root).unwrap().display().to_string(),
        tokens: tokens(&fs::read_to_string(path).unwrap()),
    };
    let files: Vec<File> = paths.iter().map(read).collect();
    let mut found = Remedies::new();
    for file in &files {
        for argument in given(&file.tokens) {
            let mut texts = BTreeSet::new();
            for words in [2, 1] {
                if texts.is_empty() {
                    Search { files: &files, file, deep: 0, words }.texts(argument.clone(), &mut texts);
                }
            }
            if texts.is_empty() {
                texts.insert(format!("‹{}›", spelled(&file.tokens[argument])));
            }
            texts.into_iter().for_each(|text| _ = found.entry(text).or_default().insert(file.name.clone()));
        }
        for token in &file.tokens {
            if let Token::Text(text) = token
                && imperative(text)
            {
                found.entry(one_line(text)).or_default().insert(file.name.clone());
            }
        }
    }
    found
}

/// What sentences that advise begin with.
const VERBS: &str = "accept add build call change check choose convert correct delete end fetch fill fix give go install keep leave \
                     let lower make move name pass put raise remove rename repair restore run save say set take train try \
                     unset update use wait write";

/// Whether a text, or a sentence or clause in it, advises.
fn imperative(text: &str) -> bool {
    let clauses = text.split(['.', ';', ':', ',', '\n', '(']);
    let advises = |clause: &str| {
        let words: Vec<_> = clause.split_whitespace().collect();
        let start = words
            .iter()
            .take_while(|word| ["or", "and", "then", "else"].contains(&word.to_lowercase().as_str()))
            .count();
        let verb = words.get(start).map(|word| word.to_lowercase()).unwrap_or_default();
        words.len() > start + 1 && VERBS.split_whitespace().any(|known| known == verb)
    };
    let named = ["`framework ", "did you mean"].iter().any(|part| text.contains(part));
    // Neither templates of Jinja nor lists of words are messages.
    let words = text.split_whitespace().count();
    (4..60).contains(&words) && !text.contains("{%-") && (named || clauses.into_iter().any(advises))
}

/// What is given as help: `.help(…)`, `Problem { help: … }` and `Problem { help }`.
fn given(tokens: &[Token]) -> Vec<Range<usize>> {
    let calls_of = calls(tokens, ".help(").into_iter().map(|at| at + 3..closing(tokens, at + 2));
    let mut found: Vec<_> = calls_of.collect();
    for name in ["Problem {", "PluginError {"] {
        for at in calls(tokens, name) {
            let fields = parts(tokens, at + 2..closing(tokens, at + 1));
            let help = |field: &Range<usize>| tokens[field.clone()].first() == Some(&Token::Word("help".into()));
            let value = |field: Range<usize>| if field.len() == 1 { field } else { field.start + 2..field.end };
            // Of a type's definition, the field's type is no text.
            let definition = at > 0
                && matches!(&tokens[at - 1], Token::Word(word) if word == "struct" || word == "for" || word == "impl");
            found.extend(fields.into_iter().filter(|field| !definition && help(field)).map(value));
        }
    }
    found
}

/// The sources that print to users, without their tests.
pub fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && !["tests", "test", "target", "examples", "benches"].contains(&name.as_str()) {
            files(&entry, found);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(entry);
        }
    }
}
