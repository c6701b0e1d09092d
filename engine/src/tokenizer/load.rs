//! Reading a tokenizer's files.

use super::{Inner, Tokenizer, special::Special};
use crate::{Error, Place, Problem, Result};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

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

impl Tokenizer {
    /// Loads a `tokenizer.json`, or the folder with one, together with `tokenizer_config.json`,
    /// `special_tokens_map.json`, `chat_template.jinja`, `generation_config.json` and `config.json` where they are.
    ///
    /// # Errors
    /// No `tokenizer.json`, a file that cannot be read, or no end token: [`Error::Invalid`] with the file.
    pub fn load(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        let folder = file.parent().unwrap_or(Path::new("."));
        let Some(bytes) = read(&file)? else { return Err(missing(path, folder)) };
        let inner = Inner::from_bytes(&bytes).map_err(|e| {
            let problem = at(&file, format!("is not a tokenizer that can be read: {e}"));
            Error::invalid(problem.help("expected is the `tokenizer.json` of the Hugging Face tokenizers library"))
        })?;
        let mut files = BTreeMap::from([("tokenizer.json".to_owned(), bytes)]);
        for name in COMPANIONS {
            if let Some(bytes) = read(&folder.join(name))? {
                files.insert((*name).to_owned(), bytes);
            }
        }
        let table = |name: &str| -> Result<Map<String, Value>> {
            match files.get(name) {
                Some(bytes) => parse(&folder.join(name), bytes),
                None => read(&folder.join(name))?.map_or(Ok(Map::new()), |b| parse(&folder.join(name), &b)),
            }
        };
        let special = Special {
            tokenizer: table("tokenizer_config.json")?,
            map: table("special_tokens_map.json")?,
            generation: table("generation_config.json")?,
            model: table("config.json")?,
        };
        let chat_template = match files.get("chat_template.jinja") {
            Some(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            None => special.chat_template().or(chat_template(&table("chat_template.json")?)),
        };
        Self::assemble(inner, special, chat_template, files)
            .map_err(|problem| Error::invalid(Problem { place: at(&file, "").place, ..problem }))
    }

    /// Puts a tokenizer together from its parts.
    pub(super) fn assemble(
        mut inner: Inner,
        special: Special,
        chat_template: Option<String>,
        files: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, Problem> {
        // Cutting and filling up are the data pipeline's.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| Problem::new(e.to_string()))?;
        let vocab_size = inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        let known = |token: &str| inner.token_to_id(token);
        let eos = special.eos(known, vocab_size)?;
        let pad = special.one("pad", known, vocab_size).unwrap_or(eos[0]);
        let bos = special.one("bos", known, vocab_size);
        let (prefix, suffix) = surroundings(&inner).unwrap_or_default();
        let config = special.tokenizer;
        Ok(Self { inner, eos, pad, bos, chat_template, config, prefix, suffix, vocab_size, files })
    }
}

/// The tokens that the post-processor puts before and after a sequence; it puts the same around each.
fn surroundings(inner: &Inner) -> Option<(Vec<u32>, Vec<u32>)> {
    let bare = inner.encode("a", false).ok()?;
    let full = inner.encode("a", true).ok()?;
    let (bare, full) = (bare.get_ids(), full.get_ids());
    let start = full.windows(bare.len().max(1)).position(|window| window == bare)?;
    Some((full[..start].to_vec(), full[start + bare.len()..].to_vec()))
}

pub(super) fn chat_template(config: &Map<String, Value>) -> Option<String> {
    match config.get("chat_template")? {
        Value::String(source) => Some(source.clone()),
        // Several, by name: the one called default.
        Value::Array(named) => {
            let default = named.iter().find(|t| t["name"] == "default").or(named.first())?;
            default["template"].as_str().map(str::to_owned)
        }
        _ => None,
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
    serde_json::from_slice(bytes).map_err(|e| {
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
        "give a `tokenizer.json`, or a folder that holds one, as `tokenizer.path`".to_owned()
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
