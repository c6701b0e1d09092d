//! Reading a tokenizer's files.

use super::{Inner, Tokenizer, added, bpe, special::Special, vocabulary};
use framework_base::{Error, Place, Problem, Result};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};
use tokenizers::Model as _;

/// What a folder may hold beside `tokenizer.json` and belongs to the tokenizer.
const COMPANIONS: &[&str] = &[
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
];

/// Chat templates beside the default one.
const MORE_TEMPLATES: &str = "additional_chat_templates";

impl Tokenizer {
    /// Loads a `tokenizer.json`, or a folder with one, with BERT's `vocab.txt`, or with `vocab.json` and `merges.txt`,
    /// together with `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, `chat_template.jinja`,
    /// `additional_chat_templates/`, `generation_config.json` and `config.json` where they are.
    ///
    /// The token that ends a sequence is the one that the files name `eos_token`, or the first that
    /// `generation_config.json` or `config.json` gives as `eos_token_id`; without either, `[SEP]` or what other
    /// tokenizers commonly have. What fills batches up is `pad_token`, or else the end token; padding is known by its
    /// position, so that a trained end token counts in either case.
    ///
    /// # Errors
    /// No tokenizer, a file that cannot be read, or no end token: [`Error::Invalid`] with the file.
    pub fn load(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        let folder = file.parent().unwrap_or(Path::new("."));
        let bytes = read(&file)?;
        let mut files = BTreeMap::new();
        for name in COMPANIONS {
            if let Some(bytes) = read(&folder.join(name))? {
                files.insert((*name).to_owned(), bytes);
            }
        }
        let more = more_templates(folder, &mut files)?;
        let table = |name: &str| -> Result<Map<String, Value>> {
            match files.get(name) {
                Some(bytes) => parse(&folder.join(name), bytes),
                None => read(&folder.join(name))?.map_or(Ok(Map::new()), |b| parse(&folder.join(name), &b)),
            }
        };
        let mut special = Special {
            tokenizer: table("tokenizer_config.json")?,
            map: table("special_tokens_map.json")?,
            generation: table("generation_config.json")?,
            model: table("config.json")?,
            added: table("added_tokens.json")?,
        };
        let mut templates = chat_templates(&special.tokenizer);
        if templates.is_empty() {
            templates = chat_templates(&table("chat_template.json")?);
        }
        if let Some(bytes) = files.get("chat_template.jinja") {
            templates.insert(DEFAULT.into(), String::from_utf8_lossy(bytes).into_owned());
        }
        templates.extend(more);

        let written = bytes.is_some();
        let (origin, inner) = match bytes {
            Some(bytes) => {
                let inner = parsed(&bytes).map_err(|e| {
                    let problem = at(&file, format!("is not a tokenizer that can be read: {e}"));
                    Error::invalid(problem.help("expected the `tokenizer.json` of the Hugging Face tokenizers library"))
                })?;
                files.insert("tokenizer.json".to_owned(), bytes);
                (file, inner)
            }
            None => bare(path, folder, &files, &mut special)?,
        };
        let here = |problem: Problem| Error::invalid(Problem { place: at(&origin, "").place, ..problem });
        let mut tokenizer = Self::assemble(inner, special, templates, files).map_err(here)?;
        if !written {
            tokenizer.write_down().map_err(here)?;
        }
        Ok(tokenizer)
    }

    /// Puts a tokenizer together from its parts.
    pub(super) fn assemble(
        mut inner: Inner,
        special: Special,
        mut chat_templates: BTreeMap<String, String>,
        files: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, Problem> {
        let named = special.named();
        added::add(&mut inner, &special)?;
        let vocab_size = size(&inner);
        let known = |token: &str| inner.token_to_id(token);
        let eos = special.eos(known, vocab_size)?;
        let pad = special.one("pad", known, vocab_size).unwrap_or(eos[0]);
        let bos = special.one("bos", known, vocab_size);
        if let Some(end) = inner.id_to_token(eos[0]) {
            added::special(&mut inner, &end)?;
        }
        // Cutting and filling up are the data pipeline's.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| Problem::new(e.to_string()))?;
        let (prefix, suffix) = surroundings(&inner).unwrap_or_default();
        let ids = |text: &str| inner.encode_fast(text, false).map(|e| e.get_ids().to_vec()).unwrap_or_default();
        let spaced = !ids("\na").ends_with(&ids("a"));
        let chat_template = chat_templates.remove(DEFAULT);
        let config = special.tokenizer;
        Ok(Self {
            inner,
            eos,
            pad,
            bos,
            chat_template,
            chat_templates,
            config,
            named,
            spaced,
            prefix,
            suffix,
            vocab_size,
            files,
            memo: super::memo::Memo::default(),
        })
    }

    /// Writes a `tokenizer.json` for one that came without, and a `tokenizer_config.json` that says what it is.
    fn write_down(&mut self) -> Result<(), Problem> {
        let json = self.inner.to_string(true).map_err(|e| Problem::new(e.to_string()))?;
        self.files.insert("tokenizer.json".to_owned(), json.into_bytes());
        let config = serde_json::to_vec_pretty(&self.config).map_err(|e| Problem::new(e.to_string()))?;
        self.files.insert("tokenizer_config.json".to_owned(), config);
        Ok(())
    }
}

/// A tokenizer from its `tokenizer.json`. What is wrong with a file, the library says.
fn parsed(bytes: &[u8]) -> tokenizers::Result<Inner> {
    bpe::parsed(bytes).or_else(|_| Inner::from_bytes(bytes))
}

/// One more than the greatest id. Where ids have no gaps, as in nearly all vocabularies, it is found without a copy of the
/// vocabulary.
fn size(inner: &Inner) -> usize {
    let words = inner.get_vocab_size(false) as u32;
    let added = inner.get_added_tokens_decoder().into_keys().max().map_or(0, |id| id + 1);
    match (0..words).all(|id| inner.get_model().id_to_token(id).is_some()) {
        true => words.max(added) as usize,
        false => inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1),
    }
}

/// A tokenizer that comes as its vocabulary alone, and the file that it came from.
fn bare(
    path: &Path,
    folder: &Path,
    files: &BTreeMap<String, Vec<u8>>,
    special: &mut Special,
) -> Result<(PathBuf, Inner)> {
    let there = |name: &str| files.get(name).filter(|_| path.is_dir());
    let (name, made) = if let Some(vocab) = there("vocab.txt") {
        ("vocab.txt", vocabulary::bert(vocab, &mut special.tokenizer, &special.map))
    } else if let (Some(vocab), Some(merges)) = (there("vocab.json"), there("merges.txt")) {
        ("vocab.json", vocabulary::byte_level(vocab, merges, &mut special.tokenizer))
    } else {
        return Err(missing(path, folder));
    };
    let file = folder.join(name);
    let inner = made.map_err(|problem| Error::invalid(Problem { place: at(&file, "").place, ..problem }))?;
    Ok((file, inner))
}

/// `additional_chat_templates/NAME.jinja`, by name.
fn more_templates(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, String>> {
    let mut templates = BTreeMap::new();
    for entry in fs::read_dir(folder.join(MORE_TEMPLATES)).into_iter().flatten().flatten() {
        let path = entry.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
        if let (Some(name), Some("jinja")) = (stem, path.extension().and_then(|e| e.to_str()))
            && let Some(bytes) = read(&path)?
        {
            templates.insert(name.clone(), String::from_utf8_lossy(&bytes).into_owned());
            files.insert(format!("{MORE_TEMPLATES}/{name}.jinja"), bytes);
        }
    }
    Ok(templates)
}

/// The tokens that the post-processor puts before and after a sequence; it puts the same around each.
fn surroundings(inner: &Inner) -> Option<(Vec<u32>, Vec<u32>)> {
    let bare = inner.encode("a", false).ok()?;
    let full = inner.encode("a", true).ok()?;
    let (bare, full) = (bare.get_ids(), full.get_ids());
    let start = full.windows(bare.len().max(1)).position(|window| window == bare)?;
    Some((full[..start].to_vec(), full[start + bare.len()..].to_vec()))
}

/// The name of the chat template that `chat` means.
const DEFAULT: &str = "default";

/// The chat templates of a `tokenizer_config.json`, by name.
fn chat_templates(config: &Map<String, Value>) -> BTreeMap<String, String> {
    match config.get("chat_template") {
        Some(Value::String(source)) => [(DEFAULT.to_owned(), source.clone())].into(),
        Some(Value::Object(named)) => {
            named.iter().filter_map(|(name, t)| Some((name.clone(), t.as_str()?.to_owned()))).collect()
        }
        Some(Value::Array(named)) => {
            let pair = |t: &Value| Some((t["name"].as_str()?.to_owned(), t["template"].as_str()?.to_owned()));
            named.iter().filter_map(pair).collect()
        }
        _ => BTreeMap::new(),
    }
}

fn read(file: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(Error::invalid(at(file, format!("cannot be read: {e}")))),
    }
}

fn parse(file: &Path, bytes: &[u8]) -> Result<Map<String, Value>> {
    framework_base::json::from_slice(bytes).map_err(|e| {
        let mut problem = at(file, format!("is not a JSON object: {e}"));
        problem.place = Some(Place { file: file.to_owned(), position: Some((e.line(), e.column())) });
        Error::invalid(problem)
    })
}

fn at(file: &Path, message: impl Into<String>) -> Problem {
    Problem { place: Some(Place { file: file.to_owned(), position: None }), ..Problem::new(message) }
}

fn missing(path: &Path, folder: &Path) -> Error {
    let old: Vec<_> = COMPANIONS.iter().filter(|name| folder.join(name).exists()).copied().collect();
    let problem = at(path, "no `tokenizer.json` is here");
    let help = if old.is_empty() {
        "give a `tokenizer.json`, or a folder that holds one or a `vocab.txt`, as `tokenizer.path`".to_owned()
    } else {
        format!(
            "found {}; make a `tokenizer.json` from them with `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)`",
            old.join(", ")
        )
    };
    Error::invalid(problem.help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::tests::{folder, write};

    #[test]
    fn eos_ids_come_from_all_files_and_the_tokenizers_own_is_first() {
        let dir = folder(r#"{"eos_token": {"content": "<end>"}, "bos_token": "<bos>"}"#);
        write(dir.path(), "generation_config.json", r#"{"eos_token_id": [1, 2], "pad_token_id": 3}"#);
        let t = Tokenizer::load(dir.path()).unwrap();
        assert_eq!((t.eos.clone(), t.pad, t.bos), (vec![2, 1], 3, Some(0)));
        assert!(t.adds_bos());
        assert_eq!(t.encode("ab", true).unwrap(), [0, 4, 5, 1], "what tokenizer.json's template says");
        assert_eq!(t.encode_open("ab", true).unwrap(), [0, 4, 5]);
        assert_eq!(t.encode("ab", false).unwrap(), [4, 5]);
    }

    #[test]
    fn the_models_config_counts_only_without_a_generation_config() {
        let dir = folder("{}");
        write(dir.path(), "config.json", r#"{"eos_token_id": 1, "bos_token_id": null}"#);
        let t = Tokenizer::load(dir.path()).unwrap();
        assert_eq!((t.eos.clone(), t.pad, t.bos), (vec![1], 1, None), "padding falls back to the end token");
    }

    #[test]
    fn chat_templates_are_found_where_hugging_face_puts_them() {
        let dir = folder(r#"{"eos_token": "</s>", "chat_template": "one"}"#);
        assert_eq!(Tokenizer::load(dir.path()).unwrap().chat_template.unwrap(), "one");
        write(dir.path(), "chat_template.jinja", "two");
        assert_eq!(Tokenizer::load(dir.path()).unwrap().chat_template.unwrap(), "two");
    }

    #[test]
    fn saving_copies_the_files() {
        let dir = folder(r#"{"eos_token": "</s>",   "odd": [1]}"#);
        let copy = tempfile::tempdir().unwrap();
        Tokenizer::load(dir.path()).unwrap().save(copy.path()).unwrap();
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            assert_eq!(fs::read(dir.path().join(name)).unwrap(), fs::read(copy.path().join(name)).unwrap());
        }
    }

    #[test]
    fn errors_name_the_file_and_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "vocab.json", "{}");
        let e = Tokenizer::load(dir.path()).unwrap_err();
        assert_eq!(e.exit_code(), 2);
        assert!(e.to_string().contains("no `tokenizer.json`") && e.to_string().contains("vocab.json"), "{e}");

        let dir = folder("{\"eos_token\":\n  }");
        let e = Tokenizer::load(dir.path()).unwrap_err().to_string();
        assert!(e.contains("tokenizer_config.json:2:"), "{e}");

        let dir = folder(r#"{"eos_token": "<nowhere>"}"#);
        let e = Tokenizer::load(dir.path()).unwrap_err().to_string();
        assert!(e.contains("`<nowhere>`") && e.contains("tokenizer.json"), "{e}");
    }
}
