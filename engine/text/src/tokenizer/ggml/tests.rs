use super::*;
use crate::tokenizer::tests::{CORPUS, folder, trained, write};
use serde_json::json;

const TEXTS: &[&str] = &["The dog sleeps", " 春天 I've 12 3345\n\n  x", "a<|endoftext|> b", "🦙 été"];

/// A tokenizer of SentencePiece's kind: marks for spaces, merges, and bytes for the rest.
fn pieces() -> Tokenizer {
    let base = ["<unk>", "<s>", "</s>"].map(str::to_owned);
    let bytes = (0..256).map(|byte| format!("<0x{byte:02X}>"));
    let more = ["▁", "a", "b", "t", "h", "e", "▁a", "th", "▁th", "▁the", "<extra>"].map(str::to_owned);
    let vocab: serde_json::Map<_, _> =
        base.into_iter().chain(bytes).chain(more).zip(0..).map(|(t, id)| (t, json!(id))).collect();
    let token = |id: u32, content: &str, special: bool| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": special })
    };
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [token(0, "<unk>", true), token(1, "<s>", true), token(2, "</s>", true), token(269, "<extra>", false)],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "▁" },
            { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        ] },
        "pre_tokenizer": null,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 0 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } },
        },
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "▁" }, "content": " " }, { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 },
        ] },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocab, "merges": [["t", "h"], ["▁", "a"], ["▁", "th"], ["▁th", "e"]],
        },
    });
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "tokenizer.json", &file.to_string());
    write(dir.path(), "tokenizer_config.json", r#"{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}"#);
    Tokenizer::load(dir.path()).unwrap()
}

#[track_caller]
fn same(there: &Tokenizer, back: &Tokenizer, texts: &[&str]) {
    for text in texts {
        let (a, b) = (there.encode(text, true).unwrap(), back.encode(text, true).unwrap());
        assert_eq!(a, b, "{text:?}");
        assert_eq!(there.decode(&a, true).unwrap(), back.decode(&b, true).unwrap(), "{text:?}");
    }
    assert_eq!((there.bos, there.end(), there.adds_bos()), (back.bos, back.end(), back.adds_bos()));
}

#[test]
fn byte_level_tokenizers_go_there_and_back() {
    let tokenizer = trained();
    let vocab = tokenizer.ggml(310, &[tokenizer.end()]).unwrap();
    assert_eq!((vocab.model.as_str(), vocab.pre.as_str(), vocab.tokens.len()), ("gpt2", "gpt-2", 310));
    assert_eq!((vocab.tokens[309].as_str(), vocab.types[309]), ("[PAD309]", kind::UNUSED));
    assert_eq!((vocab.types[0], vocab.scores.len()), (kind::CONTROL, 0));
    let back = vocab.tokenizer().unwrap().unwrap();
    same(&tokenizer, &back, &[TEXTS, CORPUS].concat());
}

#[test]
fn pieces_go_there_and_back_by_their_scores() {
    let tokenizer = pieces();
    let vocab = tokenizer.ggml(270, &[2]).unwrap();
    assert_eq!(
        (vocab.model.as_str(), vocab.pre.as_str(), vocab.adds_space, vocab.adds_bos),
        ("llama", "default", true, true)
    );
    let kinds = [0, 1, 3, 259, 269].map(|id| vocab.types[id]);
    assert_eq!(kinds, [kind::UNKNOWN, kind::CONTROL, kind::BYTE, kind::NORMAL, kind::USER_DEFINED]);
    let score = |token: &str| vocab.scores[tokenizer.id(token).unwrap() as usize];
    assert!(
        score("th") > score("▁a") && score("▁a") > score("▁the") && score("▁the") > score("t"),
        "{:?}",
        vocab.scores
    );
    let back = vocab.tokenizer().unwrap().unwrap();
    same(&tokenizer, &back, &["the a bath", "été\n", "a<extra>the", " the"]);
}

#[test]
fn ways_of_splitting_lead_back_to_themselves() {
    for name in ["gpt-2", "qwen2", "llama-bpe", "smaug-bpe", "smollm", "tekken", "gpt-4o"] {
        let (splitter, whole) = pre::splitter(name).unwrap();
        assert_eq!(pre::named(&splitter, !whole), Some(name));
    }
    let prefixed = json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true });
    assert_eq!(pre::named(&prefixed, true), None);
    assert!(pre::splitter("deepseek-llm").is_none(), "known by its hash alone");
}

#[test]
fn end_tokens_have_room_for_three() {
    let dir = folder(r#"{"eos_token": "</s>"}"#);
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    assert_eq!(tokenizer.ends(&[2, 1]).unwrap(), [1, 2]);
    assert!(tokenizer.ends(&[0, 1, 2, 3]).unwrap_err().contains("<bos>, <end>, <pad>"));
    let vocab = trained().ggml(300, &[0]).unwrap();
    assert_eq!(vocab.stops(), [0]);
}

#[test]
fn what_llama_cpp_does_not_have_is_said() {
    let golden = |kind: &str| {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tokenizers").join(kind);
        Tokenizer::load(&folder).unwrap()
    };
    let said = |kind: &str| {
        let tokenizer = golden(kind);
        tokenizer.ggml(tokenizer.vocab_size(), &[]).unwrap_err().to_string()
    };
    assert!(said("wordpiece").contains("WordPiece"), "{}", said("wordpiece"));
    assert!(said("character").contains("WordLevel"), "{}", said("character"));
    assert!(said("unigram").contains("Unigram"), "{}", said("unigram"));
    let small = golden("byte-level-bpe").ggml(10, &[]).unwrap_err().to_string();
    assert!(small.contains("10 embeddings"), "{small}");
}
