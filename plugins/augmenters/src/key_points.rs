//! `key-points`: what a text is about.

use crate::{
    keep::field,
    words::{content_words, sentences},
};
use framework_sdk::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

options! {
    /// Finds the keywords and key sentences of a text, and adds them to the record as `keywords` and `key_sentences`.
    ///
    /// Chinese text is split into words with a dictionary; English works as well. The score of a sentence is the sum of
    /// its words' weights divided by the square root of their number, and a little higher at the beginning and end of
    /// the text. Key sentences keep their order.
    pub struct KeyPoints {
        /// The field with the text, which every record must have.
        #[serde(default = "content")]
        field: String,
        /// How words are weighted.
        #[serde(default)]
        method: Method,
        /// Maximum number of keywords.
        #[serde(default = "five")]
        keywords: usize,
        /// Maximum number of key sentences.
        #[serde(default = "three")]
        sentences: usize,
    }
}

options! {
    /// How words are weighted.
    #[derive(Copy, Default)]
    #[serde(rename_all = "kebab-case")]
    pub enum Method {
        /// Frequency in the text, times the logarithm of the inverse frequency among all texts.
        #[default]
        TfIdf,
        /// Rank in the graph of words that occur near each other (Mihalcea and Tarau, 2004). Each text is ranked by
        /// itself.
        TextRank,
    }
}

fn content() -> String {
    "content".into()
}
fn five() -> usize {
    5
}
fn three() -> usize {
    3
}

type Weights = BTreeMap<String, f64>;

impl Augmenter for KeyPoints {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        let options = self.clone();
        let mut number = 0;
        let texts = records.map(move |record| {
            number += 1;
            let record = record?;
            let wrong = |message: String| PluginError::new(format!("record {number}: {message}"));
            let value = field(&record, &options.field).map_err(|e| wrong(e.message))?;
            let not_text = || wrong(format!("the field `{}` is not text but {value}", options.field));
            let text = value.as_str().ok_or_else(not_text)?.to_owned();
            Ok((record, text))
        });
        let options = self.clone();
        match self.method {
            Method::TextRank => Ok(Box::new(texts.map(move |item| {
                let (record, text) = item?;
                let weights = text_rank(&content_words(&text));
                Ok(options.add(record, &text, &weights))
            }))),
            Method::TfIdf => {
                // How rare a word is, is known when all texts have been seen.
                let texts = texts.collect::<Result<Vec<_>>>()?;
                let mut containing: BTreeMap<String, usize> = BTreeMap::new();
                let all: Vec<_> = texts.iter().map(|(_, text)| content_words(text)).collect();
                for words in &all {
                    for word in words.iter().collect::<BTreeSet<_>>() {
                        *containing.entry(word.clone()).or_default() += 1;
                    }
                }
                let count = all.len();
                Ok(Box::new(texts.into_iter().zip(all).map(move |((record, text), words)| {
                    let weights = tf_idf(&words, &containing, count);
                    Ok(options.add(record, &text, &weights))
                })))
            }
        }
    }
}

impl KeyPoints {
    fn add(&self, mut record: Record, text: &str, weights: &Weights) -> Record {
        let mut ranked: Vec<_> = weights.iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(a.1).then(a.0.cmp(b.0)));
        let keywords: Vec<_> = ranked.into_iter().take(self.keywords).map(|(word, _)| word.clone()).collect();
        record.insert("keywords".into(), keywords.into());
        record.insert("key_sentences".into(), key_sentences(text, weights, self.sentences).into());
        record
    }
}

/// Term frequency times inverse document frequency, smoothed so that a word of every text keeps some weight.
fn tf_idf(words: &[String], containing: &BTreeMap<String, usize>, texts: usize) -> Weights {
    let mut weights = Weights::new();
    for word in words {
        *weights.entry(word.clone()).or_default() += 1.0 / words.len() as f64;
    }
    for (word, weight) in &mut weights {
        let among = containing.get(word).copied().unwrap_or(0);
        *weight *= ((1 + texts) as f64 / (1 + among) as f64).ln() + 1.0;
    }
    weights
}

const WINDOW: usize = 5;
const DAMPING: f64 = 0.85;
const ROUNDS: usize = 30;

/// PageRank of words that stand near each other.
fn text_rank(words: &[String]) -> Weights {
    let mut near: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for (i, word) in words.iter().enumerate() {
        near.entry(word).or_default();
        for other in words[i + 1..].iter().take(WINDOW - 1).filter(|other| *other != word) {
            *near.entry(word).or_default().entry(other).or_default() += 1.0;
            *near.entry(other).or_default().entry(word).or_default() += 1.0;
        }
    }
    let out: BTreeMap<&str, f64> = near.iter().map(|(word, edges)| (*word, edges.values().sum())).collect();
    let mut rank: BTreeMap<&str, f64> = near.keys().map(|word| (*word, 1.0)).collect();
    for _ in 0..ROUNDS {
        let from = |edges: &BTreeMap<&str, f64>| edges.iter().map(|(o, w)| w / out[o] * rank[o]).sum::<f64>();
        rank = near.iter().map(|(word, edges)| (*word, 1.0 - DAMPING + DAMPING * from(edges))).collect();
    }
    rank.into_iter().map(|(word, weight)| (word.to_owned(), weight)).collect()
}

/// The sentences with the greatest weight, in the order of the text, each once.
fn key_sentences(text: &str, weights: &Weights, count: usize) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all: Vec<_> = sentences(text).into_iter().filter(|sentence| seen.insert(*sentence)).collect();
    let score = |i: usize, sentence: &str| {
        let words = content_words(sentence);
        let sum: f64 = words.iter().filter_map(|word| weights.get(word)).sum();
        let place = if i == 0 {
            1.2
        } else if i + 1 == all.len() {
            1.1
        } else {
            1.0
        };
        place * sum / (words.len().max(1) as f64).sqrt()
    };
    let mut ranked: Vec<_> = all.iter().enumerate().map(|(i, sentence)| (score(i, sentence), i)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut chosen: Vec<_> = ranked.into_iter().take(count).map(|(_, i)| i).collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|i| all[i].to_owned()).collect()
}

register!(augmenter "key-points" => KeyPoints, example = r#"
field = "text"
method = "text-rank"
keywords = 5
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::test;

    const TEXTS: [&str; 3] = [
        "园丁种下种子。种子需要耐心，园丁等待种子发芽。天气很好。",
        "河水流过石桥。石桥很老，天气很冷。",
        "The gardener waits. Seeds need patience, and the gardener has patience. It rains.",
    ];

    fn points(options: &str) -> Vec<Record> {
        test::augmenter("key-points", options, TEXTS.map(|text| json!({ "content": text })), 1)
    }

    #[test]
    fn tf_idf_prefers_what_is_frequent_here_and_rare_elsewhere() {
        let found = points("keywords = 2\nsentences = 1");
        assert_eq!(found[0]["keywords"], json!(["种子", "园丁"]));
        assert_eq!(found[1]["keywords"][0], "石桥");
        assert_eq!(found[2]["keywords"], json!(["gardener", "patience"]));
        assert_eq!(found[2]["key_sentences"], json!(["Seeds need patience, and the gardener has patience."]));
    }

    /// a and b stand near each other and c, d near b: b is the centre of the star.
    #[test]
    fn text_rank_prefers_the_centre() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let ranks = text_rank(&words("aaa bbb ccc bbb ddd bbb eee"));
        assert!(ranks.iter().all(|(word, rank)| word == "bbb" || *rank < ranks["bbb"]), "{ranks:?}");
        let sum: f64 = ranks.values().sum();
        assert!((sum - ranks.len() as f64).abs() < 1e-9, "ranks are shared out, not made: {sum}");
        assert!(text_rank(&[]).is_empty());
        assert_eq!(text_rank(&words("aaa"))["aaa"], 1.0 - DAMPING);
        assert_eq!(points("method = \"text-rank\"")[0]["keywords"][0], "种子");
    }

    #[test]
    fn sentences_keep_their_order_and_empty_texts_have_none() {
        let found = points("sentences = 9");
        let joined =
            found[0]["key_sentences"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect::<String>();
        assert_eq!(joined, TEXTS[0]);
        let empty = test::augmenter("key-points", "", [json!({"content": "", "id": 1})], 1);
        assert_eq!(
            Value::Object(empty[0].clone()),
            json!({"content": "", "id": 1, "keywords": [], "key_sentences": []})
        );
    }

    #[test]
    #[should_panic(expected = "record 2: the field `content` is not text but 7")]
    fn what_is_no_text_is_an_error() {
        test::augmenter("key-points", "", [json!({"content": "a"}), json!({"content": 7})], 1);
    }
}
