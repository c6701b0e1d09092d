//! Against transformers: files that it wrote (tests/reference/vocabularies.py), and tokenizers that it loads.

use crate::tokenizer::{Tokenizer, tests::CORPUS};
use framework_recipe::{TokenizerKind, TokenizerTraining};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const KINDS: [(&str, TokenizerKind, usize); 4] = [
    ("byte-level-bpe", TokenizerKind::ByteLevelBpe, 300),
    ("wordpiece", TokenizerKind::WordPiece, 160),
    ("unigram", TokenizerKind::Unigram, 120),
    ("character", TokenizerKind::Character, 60),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn golden(name: &str) -> PathBuf {
    repository().join("tests/golden").join(name)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// Expected: BertTokenizerFast, GPT2Tokenizer, Qwen2Tokenizer and AutoTokenizer on the same files.
#[test]
fn bare_vocabularies_and_added_tokens_are_transformers() {
    for case in read(&golden("vocabularies/cases.json")).as_array().unwrap() {
        let dir = tempfile::tempdir().unwrap();
        let copy = |from: &str, name: &str| _ = fs::copy(golden(from), dir.path().join(name)).unwrap();
        match case["kind"].as_str().unwrap() {
            "bert" => copy("vocabularies/vocab.txt", "vocab.txt"),
            "byte-level" => ["vocab.json", "merges.txt"].map(|name| copy(&format!("vocabularies/{name}"), name))[0],
            _ => copy("chat/tokenizer.json", "tokenizer.json"),
        }
        for (name, content) in case["files"].as_object().unwrap() {
            fs::write(dir.path().join(name), content.to_string()).unwrap();
        }
        let here = Tokenizer::load(dir.path()).unwrap();
        let (special, files) = (&case["special"], &case["files"]);
        let expected = special["eos"].as_u64().or(here.id("[SEP]").map(u64::from));
        assert_eq!(Some(u64::from(here.end())), expected, "{files}");
        assert_eq!(u64::from(here.pad), special["pad"].as_u64().unwrap_or(u64::from(here.end())), "{files}");
        assert_eq!(here.bos.map(u64::from), special["bos"].as_u64(), "{files}");
        // Saved and loaded again, it has a `tokenizer.json` and is the same.
        let copy = tempfile::tempdir().unwrap();
        here.save(copy.path()).unwrap();
        assert!(copy.path().join("tokenizer.json").exists());
        for tokenizer in [&here, &Tokenizer::load(copy.path()).unwrap()] {
            for found in case["found"].as_array().unwrap() {
                let text = found["text"].as_str().unwrap();
                assert_eq!(tokenizer.encode(text, true).unwrap(), ids(&found["ids"]), "{files}: {text:?}");
                assert_eq!(tokenizer.encode(text, false).unwrap(), ids(&found["bare"]), "{files}: {text:?}");
                let bare = tokenizer.encode_places(text, false).unwrap().0;
                assert_eq!(bare, ids(&found["bare"]), "{files}: {text:?}");
            }
        }
        looked_at(copy.path(), &expectation(&here), case["kind"].as_str().unwrap());
    }
}

fn texts() -> Vec<String> {
    let more =
        ["", "The hill, the dog.", "unseen 龘 🙂 Zürich", "a  b\n\n c\t", "春天<|endoftext|>[SEP]x", "<|im_end|>"];
    CORPUS.iter().chain(&more).map(|text| (*text).to_owned()).collect()
}

/// What check_tokenizer.py is to find.
fn expectation(t: &Tokenizer) -> Value {
    let texts = texts();
    let rows = |special| texts.iter().map(|text| t.encode(text, special).unwrap()).collect::<Vec<_>>();
    let decoded: Vec<_> = rows(true).iter().map(|ids| t.decode(ids, false).unwrap()).collect();
    let has_pad = t.named_tokens().contains_key("pad_token");
    let has_eos = t.named_tokens().contains_key("eos_token");
    json!({
        "eos": has_eos.then_some(t.end()), "pad": has_pad.then_some(t.pad), "ids": rows(true), "bare": rows(false),
        "decoded": decoded,
    })
}

/// Set `FRAMEWORK_PYTHON` to a Python with what tests/reference/requirements.txt lists, and transformers loads it, too.
fn looked_at(folder: &Path, expected: &Value, name: &str) -> Option<Value> {
    let python = env::var_os("FRAMEWORK_PYTHON")?;
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("texts.json");
    fs::write(&list, json!(texts()).to_string()).unwrap();
    let mut check = Command::new(&python);
    check.arg(repository().join("tests/reference/check_tokenizer.py"));
    let output = check.arg("--tokenizer").arg(folder).arg("--texts").arg(&list).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&found[key], value, "{name}: {key}");
    }
    println!("{name}: transformers tokenizes {} texts equally", texts().len());
    Some(found)
}

fn training(kind: TokenizerKind, vocab_size: usize) -> TokenizerTraining {
    TokenizerTraining { special_tokens: vec!["<|im_end|>".into()], ..TokenizerTraining::new(kind, vocab_size) }
}

/// tests/golden/tokenizers/KIND/ is what this writes; `transformers.json` there is what transformers finds in it. With
/// `FRAMEWORK_UPDATE_GOLDEN` and `FRAMEWORK_PYTHON` they are written anew.
#[test]
fn trained_tokenizers_are_loaded_by_transformers() {
    for (name, kind, vocab_size) in KINDS {
        let here = Tokenizer::train(&training(kind, vocab_size), CORPUS.iter()).unwrap();
        assert!(here.vocab_size() <= vocab_size && here.vocab_size() > vocab_size / 3, "{name}: {}", here.vocab_size());
        let folder = tempfile::tempdir().unwrap();
        here.save(folder.path()).unwrap();
        let expected = expectation(&here);
        let looked = looked_at(folder.path(), &expected, name);
        if let (Some(found), Some(_)) = (&looked, env::var_os("FRAMEWORK_UPDATE_GOLDEN")) {
            here.save(&golden("tokenizers").join(name)).unwrap();
            fs::write(golden("tokenizers").join(name).join("transformers.json"), format!("{found}\n")).unwrap();
        }
        let found = read(&golden("tokenizers").join(name).join("transformers.json"));
        let loaded = Tokenizer::load(&golden("tokenizers").join(name)).unwrap();
        for (key, value) in expectation(&loaded).as_object().unwrap() {
            assert_eq!(&found[key], value, "{name}: {key}");
        }
        assert_eq!(expectation(&loaded), expected, "{name}: training gives another tokenizer than it gave");
        assert_eq!(here.vocab_size() as u64, found["size"].as_u64().unwrap());
    }
}

#[test]
fn training_again_gives_the_same_files() {
    for (name, kind, vocab_size) in KINDS {
        let files = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let trained = pool.install(|| Tokenizer::train(&training(kind, vocab_size), CORPUS.iter()).unwrap());
            trained.save(folder.path()).unwrap();
            ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
                .map(|file| fs::read_to_string(folder.path().join(file)).unwrap())
        };
        assert_eq!(files(1), files(3), "{name}");
    }
}

#[test]
fn texts_come_back_as_far_as_the_kind_allows() {
    let train = |kind, size| Tokenizer::train(&training(kind, size), CORPUS.iter()).unwrap();
    for (name, kind, vocab_size) in KINDS {
        let t = train(kind, vocab_size);
        for text in CORPUS {
            let text = text.trim_end();
            let back = t.decode(&t.encode(text, false).unwrap(), true).unwrap();
            match kind {
                TokenizerKind::WordPiece => {
                    let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                    assert_eq!(letters(&back), letters(text), "{name}");
                }
                _ => assert_eq!(back, text, "{name}"),
            }
        }
        let unknown = *t.encode("龘", false).unwrap().last().unwrap();
        assert_eq!(t.is_special(unknown), kind != TokenizerKind::ByteLevelBpe, "{name}");
    }
    assert_eq!(train(TokenizerKind::Character, 60).encode("fox 春", false).unwrap().len(), 5);
}

#[test]
fn what_is_rare_or_has_no_room_is_left_out() {
    let texts = ["aaaa bbb cc d"];
    let size = |training: &TokenizerTraining| Tokenizer::train(training, texts.iter()).unwrap();
    let all = size(&TokenizerTraining::new(TokenizerKind::Character, 99));
    assert_eq!((all.vocab_size(), all.id("a"), all.id(" "), all.id("d")), (3 + 5, Some(3), Some(4), Some(7)));
    let frequent = TokenizerTraining { min_frequency: 3, ..TokenizerTraining::new(TokenizerKind::Character, 99) };
    assert_eq!((size(&frequent).vocab_size(), size(&frequent).id("d")), (3 + 3, None));
    assert_eq!(size(&TokenizerTraining::new(TokenizerKind::Character, 5)).vocab_size(), 5);
    for kind in [TokenizerKind::Unigram, TokenizerKind::WordPiece] {
        for room in 8..14 {
            let t = size(&TokenizerTraining::new(kind, room));
            assert!(t.vocab_size() <= room && t.id("a").is_some(), "{kind:?} {room}: {}", t.vocab_size());
        }
    }
    let lower = TokenizerTraining { lowercase: true, ..TokenizerTraining::new(TokenizerKind::WordPiece, 99) };
    let t = Tokenizer::train(&lower, ["École ÉCOLE"].iter()).unwrap();
    assert_eq!(t.encode("école", false).unwrap(), t.encode("ECOLE", false).unwrap());
    let e = Tokenizer::train(&TokenizerTraining::new(TokenizerKind::Unigram, 99), [""].iter()).unwrap_err();
    assert!(e.exit_code() == 2 && e.to_string().contains("no text to train"), "{e}");
}

#[test]
fn a_vocabulary_that_is_wrong_is_explained() {
    let refused = |files: &[(&str, &str)]| {
        let dir = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(dir.path().join(name), text).unwrap());
        let e = Tokenizer::load(dir.path()).unwrap_err();
        assert_eq!(e.exit_code(), 2);
        e.to_string()
    };
    let e = refused(&[("vocab.txt", "a\nb\n")]);
    assert!(e.contains("vocab.txt") && e.contains("`[CLS]`"), "{e}");
    let e = refused(&[("vocab.json", "{}"), ("merges.txt", "#version: 0.2\na b\nab\n")]);
    assert!(e.contains("line 3 of `merges.txt`"), "{e}");
    let config = r#"{"tokenizer_class": "LlamaTokenizer"}"#;
    let e = refused(&[("vocab.json", "{}"), ("merges.txt", ""), ("tokenizer_config.json", config)]);
    assert!(e.contains("`LlamaTokenizer`") && e.contains("save_pretrained"), "{e}");
    let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n";
    let config = r#"{"added_tokens_decoder": {"9": {"content": "<x>"}}}"#;
    let e = refused(&[("vocab.txt", vocab), ("tokenizer_config.json", config)]);
    assert!(e.contains("`<x>`") && e.contains("id 9") && e.contains("gets 6"), "{e}");
}
