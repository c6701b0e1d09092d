//! How texts are split into words before merging: what `tokenizer.json` says, and llama.cpp's name for it.
//!
//! llama.cpp's converter knows tokenizers by a hash of what they make of one text, so that it knows published ones only.
//! Here a tokenizer is known by how it splits, so that one that was trained, or got more tokens, is known too; the hash
//! is for those whose description llama.cpp splits into other patterns.

use super::Tokenizer;
use framework_base::files::sha256_of;
use serde_json::{Value, json};

const GPT2: &str = "<GPT-2>";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DIGITS: &str = "<digits>";

/// A way of splitting: llama.cpp's name, the patterns one after the other, and whether a word that is a token is split
/// by merges all the same; none if that does not matter to llama.cpp.
struct Way {
    name: &'static str,
    patterns: &'static [&'static str],
    merging: bool,
}

const WAYS: &[Way] = &[
    Way { name: "gpt-2", patterns: &[GPT2], merging: true },
    Way { name: "qwen2", patterns: &[QWEN2], merging: true },
    Way { name: "llama-bpe", patterns: &[LLAMA3], merging: false },
    Way { name: "smaug-bpe", patterns: &[LLAMA3], merging: true },
    Way { name: "smollm", patterns: &[DIGITS, GPT2], merging: true },
    Way { name: "tekken", patterns: &[TEKKEN], merging: false },
    Way { name: "gpt-4o", patterns: &[GPT4O], merging: true },
];

/// Of published tokenizers: the hash of the ids of [`PROBE`], as llama.cpp's converter computes it.
const HASHES: &[(&str, &str)] = &[
    ("deepseek-llm", "049ecf7629871e3041641907f3de7c733e4dbfdc736f57d882ba0b0845599754"),
    ("deepseek-coder", "347715f544604f9118bb75ed199f68779f423cabb20db6de6f31b908d04d7821"),
    ("deepseek-v3", "877081d19cf6996e2c4ff0e1236341e9b7bde288f5311a56a937f0afbbb3aeb5"),
    ("deepseek-r1-qwen", "b3f499bb4255f8ca19fccd664443283318f2fd2414d5e0b040fbdd0cc195d6c5"),
    ("falcon3", "9d032fcbd5501f4a38150912590928bfb36091efb5df11b8e2124b0390e3fb1e"),
    ("tekken", "63b97e4253352e6f357cc59ea5b583e3a680eaeaf2632188c2b952de2588485e"),
    ("gpt-4o", "ccc2ef013c104be7bae2965776d611e1d7a8a2a9c547dd93a682c9a9fc80352e"),
    ("minicpm5", "36f3066e97b7f3994b379aaacde306c1444c6ae84e81a5ae3cd2b7ed3b8c42d4"),
];

/// The text that the converter hashes the ids of.
const PROBE: &str = "\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n🚀 (normal) 😶\u{200d}🌫️ (multiple emojis concatenated) ✅ 🦙🦙 3 33 333 3333 33333 333333 3333333 33333333 3.3 3..3 3...3 កាន់តែពិសេសអាច😁 ?我想在apple工作1314151天～ ------======= нещо на Български ''''''```````\"\"\"\"......!!!!!!?????? I've been 'told he's there, 'RE you sure? 'M not sure I'll make it, 'D you like some tea? We'Ve a'lL";

/// The names that are known.
pub(super) fn known() -> String {
    let names = WAYS.iter().map(|way| way.name).chain(HASHES.iter().map(|(name, _)| *name));
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// llama.cpp's name for what the `pre_tokenizer` of a byte-level tokenizer does.
pub(super) fn named(splitter: &Value, merging: bool) -> Option<&'static str> {
    let mut found = Vec::new();
    collect(splitter, &mut found)?;
    let fits = |way: &&Way| way.patterns == found.as_slice() && way.merging == merging;
    let alike = |way: &&Way| way.patterns == found.as_slice();
    // Whether whole words go before merges changes hardly anything: llama.cpp ties it to the pattern.
    WAYS.iter().find(fits).or_else(|| WAYS.iter().find(alike)).map(|way| way.name)
}

/// The patterns of a pre-tokenizer that ends in bytes; none if it does anything else.
fn collect<'a>(splitter: &'a Value, found: &mut Vec<&'a str>) -> Option<()> {
    let is = |key: &str| splitter[key] == true;
    match splitter["type"].as_str()? {
        "Sequence" => splitter["pretokenizers"].as_array()?.iter().try_for_each(|one| collect(one, found)),
        "ByteLevel" if !is("add_prefix_space") => {
            // `use_regex` is the default.
            if splitter["use_regex"] != false {
                found.push(GPT2);
            }
            Some(())
        }
        "Digits" if is("individual_digits") => {
            found.push(DIGITS);
            Some(())
        }
        "Split" if splitter["behavior"] == "Isolated" || (splitter["behavior"] == "Removed" && is("invert")) => {
            found.push(splitter["pattern"]["Regex"].as_str()?);
            Some(())
        }
        _ => None,
    }
}

/// The name of a published tokenizer.
pub(super) fn by_hash(tokenizer: &Tokenizer) -> Option<&'static str> {
    let ids: Vec<_> = tokenizer.encode(PROBE, true).ok()?.iter().map(u32::to_string).collect();
    let hash = sha256_of(format!("[{}]", ids.join(", ")).as_bytes());
    HASHES.iter().find(|(_, known)| *known == hash).map(|(name, _)| *name)
}

/// The pre-tokenizer of `tokenizer.json` for a name, and whether words that are tokens are left whole; none for those that
/// are known by their hash alone.
pub(super) fn splitter(name: &str) -> Option<(Value, bool)> {
    let way = WAYS.iter().find(|way| way.name == name)?;
    let bytes = |regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex });
    let step = |pattern: &&str| match *pattern {
        GPT2 => bytes(true),
        DIGITS => json!({ "type": "Digits", "individual_digits": true }),
        other => json!({ "type": "Split", "pattern": { "Regex": other }, "behavior": "Isolated", "invert": false }),
    };
    let mut steps: Vec<_> = way.patterns.iter().map(step).collect();
    if way.patterns.last() != Some(&GPT2) {
        steps.push(bytes(false));
    }
    Some((json!({ "type": "Sequence", "pretokenizers": steps }), !way.merging))
}

/// Whether a tokenizer with byte fallback puts a space before texts.
///
/// # Errors
/// It does more to texts than making marks of spaces.
pub(super) fn space(normalizer: &Value, splitter: &Value) -> Result<bool, String> {
    let mut prefix = false;
    let steps = |one: &Value, key: &str| match one {
        Value::Null => Vec::new(),
        one if one["type"] == "Sequence" => one[key].as_array().cloned().unwrap_or_default(),
        one => vec![one.clone()],
    };
    for step in steps(normalizer, "normalizers").iter().chain(&steps(splitter, "pretokenizers")) {
        match step["type"].as_str().unwrap_or_default() {
            "Prepend" if step["prepend"] == "▁" => prefix = true,
            "Replace" if step["pattern"]["String"] == " " && step["content"] == "▁" => {}
            "Metaspace" if step["replacement"] == "▁" => prefix |= step["prepend_scheme"] != "never",
            // Gemma's, which splits nothing: there are no spaces any more.
            "Split" if step["pattern"]["String"] == " " => {}
            other => return Err(format!("it changes or splits texts by {other}")),
        }
    }
    Ok(prefix)
}
