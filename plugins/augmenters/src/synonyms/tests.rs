use super::*;
use framework_sdk::{Kind, test};
use std::collections::BTreeSet;

fn texts(options: &str, text: &str, seed: u64) -> Vec<String> {
    let options = format!("fields = [\"text\"]\n{options}");
    let records = test::augmenter("synonyms", &options, [json!({ "text": text })], seed);
    records.iter().map(|record| record["text"].as_str().unwrap().to_owned()).collect()
}

/// Everything that becomes of a text.
fn becomes(options: &str, text: &str) -> BTreeSet<String> {
    let options = format!("keep_original = false\n{options}");
    (0..60).flat_map(|seed| texts(&options, text, seed)).collect()
}

#[track_caller]
fn expect(options: &str, text: &str, expected: &[&str]) {
    assert_eq!(becomes(options, text), expected.iter().map(|&text| text.to_owned()).collect());
}

/// A dictionary in a file of its own, and the option for it.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.txt");
    std::fs::write(&path, text).unwrap();
    (folder, format!("built_in = false\nrate = 1.0\ndictionary = {path:?}"))
}

#[test]
fn chinese_words_become_synonyms() {
    expect(
        "rate = 1.0",
        "他也许会立即寻找答案。",
        &["他或许会立刻找寻答案。", "他或许会立刻寻觅答案。", "他或许会即刻找寻答案。", "他或许会即刻寻觅答案。"],
    );
}

#[test]
fn english_words_keep_their_capitals_and_articles() {
    expect("rate = 1.0", "Perhaps the VAST hall is Reliable.", &["Maybe the VAST hall is Dependable."]);
    expect("rate = 1.0", "FREQUENTLY", &["OFTEN"]);
    expect("rate = 1.0", "fREQUENTLY perhaps", &["fREQUENTLY maybe"]);
    // What does not go with the article is not drawn.
    expect("rate = 1.0", "a car, an honest man", &["a car, an honest man"]);
    expect("rate = 1.0", "the car, the honest man", &["the automobile, the truthful man"]);
    expect("rate = 1.0", "an enormous sofa", &["an immense couch"]);
}

#[test]
fn only_whole_words_and_the_longest_are_replaced() {
    let (_folder, options) = file("# words\nbig, large\nbig city\tmetropolis\n工智,x\n人工\t手工\n人工智能,AI\n");
    expect(
        &options,
        "big bigger big-hearted my_big big.csv and/big big",
        &["large bigger big-hearted my_big big.csv and/big large"],
    );
    expect(&options, "A big city, a Big one.", &["A metropolis, a Large one."]);
    expect(&options, "人工智能和人工", &["AI和手工"]);
    expect(&options, "AI", &["人工智能"]);
}

#[test]
fn what_is_quoted_or_code_stays() {
    let text = "perhaps “也许” 《也许》 `perhaps` \"perhaps\" ```perhaps```";
    expect("rate = 1.0", text, &["maybe “也许” 《也许》 `perhaps` \"perhaps\" ```perhaps```"]);
}

#[test]
fn protected_words_are_never_altered() {
    let options = r#"
        fields = ["text", "answer"]
        rate = 1.0
        copies = 4
        keep_original = false
        protected = ["耐心等待", "famous"]
        protected_fields = ["keywords", "more"]
    "#;
    let record = json!({
        "text": "他耐心等待，也许立即到达。The Famous car is Expensive, infamously famous.",
        "answer": {"也许": ["perhaps 也许", {"立即": "立即 fragrance"}], "n": 1},
        "keywords": ["立即", "expensive"], "more": "perhaps",
    });
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        for copy in test::augmenter("synonyms", options, [record.clone()], seed) {
            let text = copy["text"].as_str().unwrap();
            assert!(text.starts_with("他耐心等待，或许立即"), "{text}");
            assert!(text.ends_with("。The Famous automobile is Expensive, infamously famous."), "{text}");
            assert_eq!(copy["answer"], json!({"也许": ["perhaps 或许", {"立即": "立即 scent"}], "n": 1}));
            assert_eq!(copy.keys().collect::<Vec<_>>(), ["text", "answer", "keywords", "more"]);
            assert_eq!((&copy["keywords"], &copy["more"]), (&record["keywords"], &record["more"]));
            seen.insert(text.to_owned());
        }
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[test]
fn the_seed_draws_and_the_rate_counts() {
    let text = "perhaps perhaps perhaps perhaps perhaps perhaps perhaps perhaps perhaps perhaps";
    for (rate, expected) in [(0.0, 0), (0.01, 1), (0.3, 3), (0.5, 5), (1.0, 10)] {
        let options = format!("rate = {rate:?}\nkeep_original = false");
        let drawn: BTreeSet<_> = (0..20).map(|seed| texts(&options, text, seed).concat()).collect();
        assert!(drawn.iter().all(|text| text.matches("maybe").count() == expected), "{drawn:?}");
        assert_eq!(drawn.len() > 1, (1..10).contains(&expected), "other seeds differ: {drawn:?}");
    }
    assert_eq!(texts("rate = 0.0", text, 1), [text]);
    assert_eq!(texts("rate = 0.3\ncopies = 3", text, 1).len(), 4);
    assert_eq!(texts("rate = 1.0\ncopies = 3", text, 1).len(), 2, "there is only one other text");
}

#[test]
fn built_in_groups_are_sound() {
    use crate::words::{SIMPLIFIED, TRADITIONAL, is_chinese};
    for (chinese, text) in [
        (true, include_str!("chinese.txt")),
        (true, include_str!("traditional.txt")),
        (false, include_str!("english.txt")),
    ] {
        let mut seen = BTreeSet::new();
        let groups = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        for word in groups.flat_map(|line| line.split(',')) {
            assert!(seen.insert(word), "`{word}` is in two groups");
            assert_eq!(is_chinese(word), chinese, "`{word}`");
            assert_eq!(word, word.trim().to_lowercase());
        }
    }
    let traditional = include_str!("traditional.txt").lines().filter(|line| !line.starts_with('#'));
    assert!(!traditional.flat_map(str::chars).any(|c| SIMPLIFIED.contains(c) && !TRADITIONAL.contains(c)));
    assert!(!include_str!("chinese.txt").chars().any(|c| TRADITIONAL.contains(c) && !SIMPLIFIED.contains(c)));
}

#[test]
fn scripts_are_not_mixed() {
    expect("rate = 1.0", "這個地方有漂亮的風景。", &["這個地方有美麗的景色。", "這個地方有美麗的景致。"]);
    expect("rate = 1.0", "请介绍《這個國家》的风景。", &["请介绍《這個國家》的景色。", "请介绍《這個國家》的景致。"]);
}

#[test]
fn classical_chinese_is_left_to_the_readers_own_dictionary() {
    let text = "吾聞之矣，其國之城市，不論大小，譬如星也。";
    expect("rate = 1.0", text, &[text]);
    let (_folder, options) = file("吾聞,余聞");
    expect(&options, text, &[&text.replace("吾聞", "余聞")]);
}

#[test]
fn wrong_options_are_refused() {
    let refused = |options: Value| {
        let declaration = test::declaration(Kind::Augmenter, "synonyms");
        declaration.build.augmenter("synonyms", &options).err().expect("an error").to_string()
    };
    assert!(refused(json!({"fields": []})).contains("`fields` is empty"));
    assert!(refused(json!({"fields": [""]})).contains("`fields` has an empty name"));
    assert!(refused(json!({"fields": ["a"], "rate": 1.5})).contains("`rate` is 1.5; expected a share from 0 to 1"));
    assert!(refused(json!({"fields": ["a"], "copies": 0})).contains("`copies` is 0"));
    assert!(refused(json!({"fields": ["a"], "protected": [" "]})).contains("`protected` has an empty word"));
    assert!(refused(json!({"fields": ["a"], "built_in": false})).contains("there are no words"));
}

fn with_dictionary(text: &str) -> String {
    let (folder, _) = file(text);
    let options = json!({"fields": ["text"], "dictionary": folder.path().join("words.txt")});
    let declaration = test::declaration(Kind::Augmenter, "synonyms");
    let plugin = declaration.build.augmenter("synonyms", &options).unwrap();
    plugin.augment(Box::new(std::iter::empty()), 1).err().expect("an error").to_string()
}

#[test]
fn wrong_dictionaries_name_the_line() {
    assert!(with_dictionary("a,b\n\nc\n").contains("words.txt:3: `c` stands alone; expected words with commas"));
    assert!(with_dictionary("a,,b").contains("words.txt:1: word 2 is empty"));
    assert!(with_dictionary("# x\na\tb\ta").contains("words.txt:2: `a` stands twice"));
    assert!(with_dictionary("# x\n").contains("there are no words in it"));
    let options = json!({"fields": ["text"], "dictionary": "missing.txt"});
    let declaration = test::declaration(Kind::Augmenter, "synonyms");
    let plugin = declaration.build.augmenter("synonyms", &options).unwrap();
    let error = plugin.augment(Box::new(std::iter::empty()), 1).err().unwrap();
    assert!(error.message.starts_with("`dictionary`: cannot read missing.txt"), "{error}");
}

#[test]
#[should_panic(expected = "record 1: there is no field `question`; the record has `text`")]
fn a_missing_field_is_an_error() {
    test::augmenter("synonyms", "fields = [\"question\"]", [json!({"text": "a"})], 1);
}

#[test]
#[should_panic(expected = "record 1: the field `keywords` is not a list of words but 3")]
fn keywords_that_are_no_words_are_an_error() {
    test::augmenter("synonyms", "fields = [\"text\"]", [json!({"text": "a", "keywords": [3]})], 1);
}
