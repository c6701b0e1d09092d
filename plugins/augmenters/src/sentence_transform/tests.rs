use super::*;
use framework_sdk::{Kind, test};
use std::collections::BTreeSet;

fn texts(options: &str, text: &str, seed: u64) -> Vec<String> {
    let options = format!("fields = [\"text\"]\n{options}");
    let records = test::augmenter("sentence-transform", &options, [json!({ "text": text })], seed);
    records.iter().map(|record| record["text"].as_str().unwrap().to_owned()).collect()
}

/// What becomes of a text with these transforms, whatever the seed.
#[track_caller]
fn gives(transforms: &str, text: &str, expected: &[&str]) {
    let options = format!("keep_original = false\nrate = 1.0\ntransforms = {transforms}");
    let found: BTreeSet<_> = (0..40).flat_map(|seed| texts(&options, text, seed)).collect();
    assert_eq!(found, expected.iter().map(|&text| text.to_owned()).collect());
}

#[track_caller]
fn stays(transforms: &str, text: &str) {
    gives(transforms, text, &[text]);
}

#[test]
fn english_connectives() {
    let connectives = "[\"connectives\"]";
    gives(connectives, "For example, cats purr.", &["For instance, cats purr."]);
    gives(connectives, "Because you are here, we start.", &["Since you are here, we start."]);
    gives(connectives, "Since you are here, he starts.", &["Because you are here, he starts."]);
    gives(connectives, "Although the sun shone, it was cold.", &["Even though the sun shone, it was cold."]);
    gives(connectives, "Save it in order to go on.", &["Save it so as to go on."]);
    gives(connectives, "It fails due to the fact that oil is old.", &["It fails because oil is old."]);
    // A date, a noun and half a word.
    stays(connectives, "Since the war ended, prices rose.");
    stays(connectives, "Because of rain, we stay.");
    stays(connectives, "Thusly, we stay. The in order tone.");
}

#[test]
fn chinese_connectives() {
    let connectives = "[\"connectives\"]";
    gives(
        connectives,
        "因为下雨，所以我们没有出门。",
        &["我们之所以没有出门，是因为下雨。", "由于下雨，所以我们没有出门。"],
    );
    gives(connectives, "我们之所以没有出门，是因为下雨。", &["因为下雨，所以我们没有出门。"]);
    gives(connectives, "虽然天气冷，但是我们出门。", &["尽管天气冷，但是我们出门。", "虽然天气冷，可是我们出门。"]);
    gives(connectives, "總之，我們出門。", &["總而言之，我們出門。"]);
    gives(connectives, "如果下雨，我们回家。", &["假如下雨，我们回家。", "倘若下雨，我们回家。"]);
    // 他 might be someone in the other clause; no clause with a contrast follows; part of another word.
    gives(connectives, "因为小明病了，所以他没来。", &["由于小明病了，所以他没来。"]);
    stays(connectives, "虽然天气冷，我们出门。");
    stays(connectives, "无论如何，我们出门。");
    stays(connectives, "你很安静，可是想家了？");
    stays(connectives, "不仅仅是我，大家也来。");
}

#[test]
fn english_clauses_change_places() {
    let reorder = "[\"reorder-clauses\"]";
    gives(
        reorder,
        "Because the road is wet, you must drive slowly.",
        &["You must drive slowly because the road is wet."],
    );
    gives(
        reorder,
        "You must drive slowly because the road is wet.",
        &["Because the road is wet, you must drive slowly."],
    );
    gives(reorder, "If the water boils, then I will make tea.", &["I will make tea if the water boils."]);
    gives(reorder, "I like the tea, although the water was cold.", &["Although the water was cold, I like the tea."]);
    // Pronouns, negation, "whether", names, abbreviations, more clauses.
    for text in [
        "Because the man was late, he ran home.",
        "I do not run because the road is wet.",
        "Because the road is wet, I don't run fast.",
        "I wonder if the road is wet.",
        "Because the road is wet, Anna drives slowly.",
        "Because the road is wet, I called Dr. Lee.",
        "Because the road is wet, you drive, and I sleep.",
        "If the road is wet, you know the answer.",
        "Because the road is wet, you must drive slowly",
    ] {
        stays(reorder, text);
    }
}

#[test]
fn chinese_clauses_change_places() {
    let reorder = "[\"reorder-clauses\"]";
    gives(reorder, "如果明天下雨，我们就取消比赛。", &["我们取消比赛，如果明天下雨。"]);
    gives(reorder, "如果明天下雨，那么比赛取消。", &["比赛取消，如果明天下雨。"]);
    gives(reorder, "比赛取消，如果明天下雨。", &["如果明天下雨，比赛取消。"]);
    for text in [
        "如果小明来，他会告诉我们。",
        "如果明天下雨，比赛才取消。",
        "如果明天下雨，比赛取消，大家回家。",
        "如果明天下雨，“比赛”取消。",
        "如果明天下雨，比赛取消吗？",
        "如果明天下雨，那就是大家的运气。",
    ] {
        stays(reorder, text);
    }
}

#[test]
fn sentences_are_split() {
    let split = "[\"split\"]";
    gives(split, "The sky is blue; we walk home.", &["The sky is blue. We walk home."]);
    gives(split, "The sky is blue, and we walk home.", &["The sky is blue. We walk home."]);
    gives(split, "The sky is blue, but they walk home.", &["The sky is blue. However, they walk home."]);
    gives(split, "春天的花开了；小鸟在唱歌。", &["春天的花开了。小鸟在唱歌。"]);
    gives(split, "天空下起了大雨，但是比赛没有停。", &["天空下起了大雨。但是比赛没有停。"]);
    for text in [
        "I buy red, and blue apples.",
        "If the sky is blue, and we walk, I sing.",
        "You say that the sky is blue, and we walk home.",
        "Buy apples; pears; plums.",
        "I am very sorry, but I cannot come.",
        "材料如下：苹果是红的；梨子是黄的。",
        "虽然下起了大雨，但是比赛没有停。",
        "春天；夏天。",
    ] {
        stays(split, text);
    }
}

#[test]
fn sentences_are_joined() {
    let join = "[\"join\"]";
    gives(join, "The sky is blue. The sea was grey.", &["The sky is blue; the sea was grey."]);
    gives(join, "The sky is blue. However, I am sad.", &["The sky is blue, but I am sad."]);
    gives(join, "春天有红花。秋天有红叶。", &["春天有红花；秋天有红叶。"]);
    gives(join, "天空下起了大雨。因此比赛取消了。", &["天空下起了大雨，因此比赛取消了。"]);
    for text in [
        "The sky is blue.\nThe sea is grey.",
        "The sky is blue. Anna was here.",
        "The best day. The sea is grey.",
        "春天有红花。\n秋天有红叶。",
        "花园里有红花。很好。",
        "多谢大家关心。园丁忙着浇花。",
    ] {
        stays(join, text);
    }
    // Of three, one is free to join either neighbour, never both.
    let three = "The sky is blue. The sea is grey. The sun is red.";
    gives(
        join,
        three,
        &["The sky is blue; the sea is grey. The sun is red.", "The sky is blue. The sea is grey; the sun is red."],
    );
}

#[test]
fn requests_become_questions() {
    let form = "[\"question-form\"]";
    gives(
        form,
        "Describe the sea.",
        &[
            "Please describe the sea.",
            "Can you describe the sea?",
            "Could you please describe the sea?",
            "I would like you to describe the sea.",
        ],
    );
    gives(form, "Could you please list three colours?", &["List three colours.", "Please list three colours."]);
    gives(
        form,
        "What is the sea?",
        &[
            "I have a question: What is the sea?",
            "Please answer this question: What is the sea?",
            "My question is: What is the sea?",
        ],
    );
    gives(form, "请介绍《海》。", &["能否介绍《海》？", "可以介绍《海》吗？", "麻烦你介绍《海》。"]);
    gives(form, "請介紹《海》。", &["能否介紹《海》？", "可以介紹《海》嗎？", "麻煩你介紹《海》。"]);
    gives(form, "能否介绍一下《海》？", &["请介绍一下《海》。"]);
    gives(form, "《海》的“浪”是什么意思？", &["请问《海》的“浪”是什么意思？", "请告诉我：《海》的“浪”是什么意思？"]);
    for text in [
        "List prices rose.",
        "The sea is deep.",
        "How about the sea?",
        "请客吃饭。",
        "这难道是什么好事？",
        "总结是好的。",
        "怎么，谁怕了？",
        "为什么？",
        "这点小事谁没做过？",
    ] {
        stays(form, text);
    }
}

#[test]
fn transforms_compose() {
    let text = "Because the road is wet, you must drive slowly.";
    gives(
        "[\"connectives\", \"reorder-clauses\"]",
        text,
        &["Since the road is wet, you must drive slowly.", "You must drive slowly because the road is wet."],
    );
    let text = "如果明天下雨，我们就取消比赛。";
    gives(
        "[\"connectives\", \"reorder-clauses\"]",
        text,
        &[
            "假如明天下雨，我们就取消比赛。",
            "倘若明天下雨，我们就取消比赛。",
            "我们取消比赛，如果明天下雨。",
            "我们取消比赛，假如明天下雨。",
            "我们取消比赛，倘若明天下雨。",
        ],
    );
}

/// Protected words are at the seams: capitals, connectives, punctuation, the whole sentence.
#[test]
fn protected_words_are_never_altered() {
    let text = "因为下雨，所以我们没有出门。The road is wet. The sea is grey; we walk home. \
                For example, cats purr. 如果明天下雨，我们就取消比赛。You walk because the road is wet.";
    let words = ["因为", "The sea", "grey; we", "For example", "我们就", "wet"];
    let record = json!({"text": text, "keywords": words, "nested": {"For example, x": ["For example, cats purr."]}});
    let options = r#"
        fields = ["text", "nested"]
        copies = 5
        rate = 1.0
        keep_original = false
    "#;
    let count = |text: &str, word: &str| text.matches(word).count();
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        for copy in test::augmenter("sentence-transform", options, [record.clone()], seed) {
            let new = copy["text"].as_str().unwrap();
            assert!(words.iter().all(|word| count(new, word) == count(text, word)), "{new}");
            assert_eq!(copy["nested"], record["nested"]);
            assert_eq!(copy["keywords"], record["keywords"]);
            seen.insert(new.to_owned());
        }
    }
    assert!(seen.len() > 1 && !seen.contains(text), "{seen:?}");
}

#[test]
fn classical_chinese_is_only_split() {
    let text = "人主之尊，譬如堂之高；羣臣如陛之低也。";
    gives("[\"connectives\", \"split\", \"join\"]", text, &["人主之尊，譬如堂之高。羣臣如陛之低也。"]);
}

#[test]
fn nothing_changes_at_rate_0_and_quotations_never() {
    let text =
        "“因为下雨，所以我们没有出门。”\n\"For example, cats purr.\" `For example, x`\n```\nFor example, y.\n```";
    assert_eq!(texts("rate = 1.0", text, 1), [text]);
    assert_eq!(texts("rate = 0.0", "For example, cats purr.", 1), ["For example, cats purr."]);
}

#[test]
fn the_seed_draws() {
    let text = "Furthermore, cats purr. For example, dogs bark. In short, we listen.";
    let drawn: BTreeSet<_> = (0..40).map(|seed| texts("keep_original = false", text, seed)).collect();
    assert!(drawn.len() > 5, "{drawn:?}");
    assert_eq!(texts("copies = 2", text, 3).len(), 3);
}

#[test]
fn wrong_options_are_refused() {
    let refused = |options: Value| {
        let declaration = test::declaration(Kind::Augmenter, "sentence-transform");
        declaration.build.augmenter("sentence-transform", &options).err().expect("an error").message
    };
    assert!(refused(json!({"fields": ["a"], "transforms": []})).contains("`transforms` is empty"));
    assert!(refused(json!({"fields": []})).contains("`fields` is empty"));
    assert!(refused(json!({"fields": ["a"], "rate": -0.1})).contains("`rate` is -0.1"));
    assert!(refused(json!({"fields": ["a"], "transforms": ["reverse"]})).contains("reverse"));
}
