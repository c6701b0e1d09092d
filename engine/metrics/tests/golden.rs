//! The numbers of sacrebleu, rouge-score, jieba and a second implementation, on pairs of texts:
//! `tests/golden/metrics`, written by `tests/reference/metrics.py`.

use framework_metrics::{
    Counted, Pair, Segmentation, bleu, chrf, exact, json, length, magazine, repetition,
    rouge::{self, Kind},
    schema,
};
use serde_json::Value;
use std::{fs, path::Path};

fn golden(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/metrics");
    serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
}

fn pairs(of: &Value) -> Vec<Pair> {
    let text = |pair: &Value, key: &str| pair[key].as_str().unwrap().to_owned();
    let pair = |pair: &Value| Pair { answer: text(pair, "answer"), reference: text(pair, "reference") };
    of.as_array().unwrap().iter().map(pair).collect()
}

/// The pairs of a language with what is expected of them.
fn sets() -> Vec<(&'static str, Vec<Pair>, Value)> {
    let (all, expected) = (golden("pairs.json"), golden("expected.json"));
    let texts = all["texts"].as_array().unwrap();
    let of = |language: &'static str| {
        let own: Vec<_> = texts.iter().filter(|pair| pair["language"] == language).cloned().collect();
        (language, pairs(&Value::Array(own)), expected["sets"][language].clone())
    };
    vec![of("en"), of("zh")]
}

const SEGMENTATIONS: [(&str, Segmentation); 4] = [
    ("words", Segmentation::Words),
    ("chinese", Segmentation::Chinese),
    ("characters", Segmentation::Characters),
    ("jieba", Segmentation::Jieba),
];

fn score(counted: &dyn Counted, pairs: usize) -> f64 {
    counted.score(&(0..pairs).collect::<Vec<_>>()).unwrap()
}

/// Equal, but for the last bit that logarithms of different libraries may differ in.
#[track_caller]
fn same(found: f64, expected: &Value, what: &str) {
    let expected: f64 = expected.as_str().map_or_else(|| expected.as_f64().unwrap(), |text| text.parse().unwrap());
    assert!((found - expected).abs() <= 4.0 * f64::EPSILON * expected.abs(), "{what}: {found} is not {expected}");
}

#[test]
fn tokens_are_those_of_sacrebleu_and_jieba() {
    for (language, pairs, expected) in sets() {
        assert_eq!(pairs.len(), 100);
        for (name, segmentation) in SEGMENTATIONS {
            for (i, pair) in pairs.iter().enumerate() {
                let tokens = serde_json::to_value(segmentation.tokens(&pair.answer)).unwrap();
                assert_eq!(tokens, expected[name]["tokens"][i], "{language} {name} {i}: {:?}", pair.answer);
            }
        }
    }
}

#[test]
fn bleu_is_that_of_sacrebleu() {
    for (language, pairs, expected) in sets() {
        for (name, segmentation) in SEGMENTATIONS {
            let found = score(&*bleu::bleu(&pairs, segmentation), pairs.len());
            let expected = &expected[name]["bleu"];
            same(found, &expected["score"], &format!("{language} {name}"));
            let printed = expected["printed"].as_str().unwrap();
            assert!(printed.starts_with(&format!("BLEU = {found:.2} ")), "{found} {printed}");
        }
    }
}

#[test]
fn chrf_is_that_of_sacrebleu() {
    for (language, pairs, expected) in sets() {
        let (counted, expected) = (chrf::chrf(&pairs), &expected["chrf"]);
        let found = score(&*counted, pairs.len());
        same(found, &expected["score"], language);
        assert_eq!(format!("chrF2 = {found:.2}"), expected["printed"].as_str().unwrap());
        for i in 0..pairs.len() {
            same(counted.score(&[i]).unwrap(), &expected["sentences"][i], &format!("{language} {i}"));
        }
    }
}

#[test]
fn rouge_is_that_of_rouge_score() {
    let kinds = [("rouge-1", Kind::Ngrams(1)), ("rouge-2", Kind::Ngrams(2)), ("rouge-l", Kind::Longest)];
    for (language, pairs, expected) in sets() {
        for (name, segmentation) in SEGMENTATIONS {
            for (rouge, kind) in kinds {
                let expected = &expected[name]["rouge"][rouge];
                let found = rouge::f_measures(&pairs, kind, segmentation);
                for (i, found) in found.iter().enumerate() {
                    let expected: f64 = expected[i].as_str().unwrap().parse().unwrap();
                    assert!(*found == expected, "{language} {name} {rouge} {i}: {found} is not {expected}");
                }
            }
        }
    }
}

#[test]
fn exact_match_distinct_ngrams_repetition_and_lengths() {
    for (language, pairs, expected) in sets() {
        same(score(&*exact::exact_match(&pairs), 100), &expected["exact-match"], language);
        for (name, segmentation) in SEGMENTATIONS {
            let found = [
                ("distinct-1", repetition::distinct(&pairs, 1, segmentation)),
                ("distinct-2", repetition::distinct(&pairs, 2, segmentation)),
                ("repetition", repetition::repetition(&pairs, segmentation)),
                ("length", length::length(&pairs, segmentation)),
                ("length-ratio", length::length_ratio(&pairs, segmentation)),
            ];
            for (metric, counted) in found {
                let what = format!("{language} {name} {metric}");
                same(score(&*counted, pairs.len()), &expected[name]["spread"][metric], &what);
            }
        }
    }
}

#[test]
fn fields_of_articles() {
    let (pairs, expected) = (pairs(&golden("pairs.json")["articles"]), golden("expected.json"));
    let schema = schema::Schema::magazine();
    let metrics = [
        ("json", json::valid(&pairs)),
        ("schema", schema::conforming(&pairs, &schema)),
        ("title", magazine::field(&pairs, magazine::Field::Title)),
        ("author", magazine::field(&pairs, magazine::Field::Author)),
        ("volume", magazine::field(&pairs, magazine::Field::Volume)),
        ("keywords", magazine::keywords(&pairs)),
        ("citations", magazine::citations(&pairs)),
    ];
    for (name, counted) in metrics {
        let mut seen = Vec::new();
        for i in 0..pairs.len() {
            let found = counted.score(&[i]);
            let expected = expected["articles"][i][name].as_f64();
            assert_eq!(found, expected, "{name} {i}: {:?}", pairs[i]);
            seen.extend(found.map(f64::to_bits));
        }
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 1, "{name} tells nothing apart");
    }
}
