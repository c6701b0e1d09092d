//! Tokenizers that come as a bare vocabulary: `vocab.txt` of BERT, `vocab.json` and `merges.txt` of GPT-2 and Qwen2.

use super::{Inner, special::token_text};
use framework_base::Problem;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tokenizers::{
    SplitDelimiterBehavior,
    decoders::wordpiece::WordPiece as WordPieceDecoder,
    models::{
        bpe::{BPE, Vocab},
        wordpiece::WordPiece,
    },
    normalizers::{bert::BertNormalizer, unicode::NFC},
    pre_tokenizers::{
        PreTokenizerWrapper,
        bert::BertPreTokenizer,
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
    processors::template::TemplateProcessing,
};

/// How Qwen2 splits texts into words.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

fn failed(e: impl std::fmt::Display) -> Problem {
    Problem::new(format!("the tokenizer cannot be put together: {e}"))
}

/// What BERT calls its special tokens where the files do not say.
const BERT: [(&str, &str); 5] = [
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

/// The tokenizer of a `vocab.txt`, a token a line, as transformers' `BertTokenizer` makes it; `config` gets the names
/// of its special tokens.
pub(super) fn bert(vocab: &[u8], config: &mut Map<String, Value>, map: &Map<String, Value>) -> Result<Inner, Problem> {
    let text = std::str::from_utf8(vocab).map_err(|e| Problem::new(format!("`vocab.txt` is not UTF-8: {e}")))?;
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
    let vocab: BTreeMap<String, u32> = lines.zip(0..).map(|(token, id)| (token.to_owned(), id)).collect();
    for (name, token) in BERT {
        if !config.contains_key(name) {
            config.insert(name.into(), map.get(name).and_then(token_text).unwrap_or(token).into());
        }
    }
    let name = |name: &str| config.get(name).and_then(token_text).unwrap_or_default().to_owned();
    let flag = |name: &str, default: bool| config.get(name).and_then(Value::as_bool).unwrap_or(default);
    let (cls, sep, unk) = (name("cls_token"), name("sep_token"), name("unk_token"));
    for token in [&cls, &sep, &unk] {
        if !vocab.contains_key(token) {
            let problem = Problem::new(format!("`vocab.txt` does not have the token `{token}`"));
            return Err(problem.help("expected BERT's vocabulary, a token a line, with [CLS], [SEP] and [UNK]"));
        }
    }
    let accents = config.get("strip_accents").and_then(Value::as_bool);
    let chinese = flag("tokenize_chinese_chars", true);
    let ids = [(cls.clone(), vocab[&cls]), (sep.clone(), vocab[&sep])];
    let model = WordPiece::builder().vocab(vocab.into_iter().collect::<Vocab>()).unk_token(unk);
    let mut inner = Inner::new(model.build().map_err(failed)?);
    inner
        .with_normalizer(Some(BertNormalizer::new(true, chinese, accents, flag("do_lower_case", true))))
        .map_err(failed)?;
    inner.with_pre_tokenizer(Some(BertPreTokenizer));
    inner.with_decoder(Some(WordPieceDecoder::new("##".into(), true)));
    inner.with_post_processor(Some(surrounded(&cls, &sep, ids.to_vec())?));
    config.entry("tokenizer_class").or_insert("BertTokenizer".into());
    Ok(inner)
}

/// Puts one token before a text and another one after it.
pub(super) fn surrounded(before: &str, after: &str, ids: Vec<(String, u32)>) -> Result<TemplateProcessing, Problem> {
    TemplateProcessing::builder()
        .try_single(format!("{before}:0 $A:0 {after}:0"))
        .map_err(failed)?
        .try_pair(format!("{before}:0 $A:0 {after}:0 $B:1 {after}:1"))
        .map_err(failed)?
        .special_tokens(ids)
        .build()
        .map_err(failed)
}

/// The tokenizer of `vocab.json` and `merges.txt`, as transformers' `GPT2Tokenizer` or `Qwen2Tokenizer` makes it.
pub(super) fn byte_level(vocab: &[u8], merges: &[u8], config: &mut Map<String, Value>) -> Result<Inner, Problem> {
    let vocab: BTreeMap<String, u32> = framework_base::json::from_slice(vocab)
        .map_err(|e| Problem::new(format!("`vocab.json` is not an object of tokens and ids: {e}")))?;
    let merges = String::from_utf8_lossy(merges);
    let lines =
        merges.lines().enumerate().filter(|(i, line)| !(line.is_empty() || *i == 0 && line.starts_with("#version")));
    let pair = |(i, line): (usize, &str)| {
        let (a, b) = line
            .split_once(' ')
            .ok_or_else(|| Problem::new(format!("line {} of `merges.txt` is `{line}`, not two tokens", i + 1)))?;
        Ok((a.to_owned(), b.to_owned()))
    };
    let merges = lines.map(pair).collect::<Result<Vec<_>, Problem>>()?;
    let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or("GPT2Tokenizer");
    let qwen = match class.trim_end_matches("Fast") {
        "GPT2Tokenizer" => false,
        "Qwen2Tokenizer" => true,
        other => {
            let problem =
                Problem::new(format!("how a `{other}` splits texts does not stand in `vocab.json` and `merges.txt`"));
            return Err(problem
                .help("make a `tokenizer.json` with `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)`"));
        }
    };
    let vocab: Vocab = vocab.into_iter().collect();
    let builder = BPE::builder().vocab_and_merges(vocab, merges).fuse_unk(false);
    let builder = builder.continuing_subword_prefix(String::new()).end_of_word_suffix(String::new());
    let mut inner = Inner::new(builder.build().map_err(failed)?);
    let space = config.get("add_prefix_space").and_then(Value::as_bool).unwrap_or(false);
    if qwen {
        let pattern = SplitPattern::Regex(QWEN2.into());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(failed)?;
        let words: Vec<PreTokenizerWrapper> = vec![split.into(), ByteLevel::new(space, false, false).into()];
        inner.with_normalizer(Some(NFC)).map_err(failed)?;
        inner.with_pre_tokenizer(Some(Sequence::new(words)));
    } else {
        inner.with_pre_tokenizer(Some(ByteLevel::new(space, true, true)));
    }
    inner.with_decoder(Some(ByteLevel::default()));
    let mine = if qwen { "pad_token" } else { "bos_token" };
    for name in ["eos_token", "unk_token", mine] {
        config.entry(name).or_insert("<|endoftext|>".into());
    }
    config.entry("tokenizer_class").or_insert("GPT2Tokenizer".into());
    Ok(inner)
}
