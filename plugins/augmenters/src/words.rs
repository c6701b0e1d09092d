//! Words and sentences of Chinese and English text.

use crate::texts::is_wide;
use jieba_rs::Jieba;
use std::sync::LazyLock;

/// What finds words, with its own dictionary.
pub static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// Words that say nothing about what a text is about.
const STOP: &[&str] = &[
    "从来",
    "从来不",
    "一个",
    "一些",
    "一样",
    "一种",
    "一点",
    "一直",
    "一定",
    "一起",
    "一下",
    "一切",
    "不是",
    "不会",
    "不能",
    "不要",
    "不过",
    "不同",
    "什么",
    "怎么",
    "怎样",
    "为什么",
    "如何",
    "这个",
    "这些",
    "这样",
    "这里",
    "这种",
    "那个",
    "那些",
    "那样",
    "那里",
    "那种",
    "我们",
    "你们",
    "他们",
    "她们",
    "它们",
    "自己",
    "别人",
    "人们",
    "大家",
    "因为",
    "所以",
    "但是",
    "可是",
    "然而",
    "而且",
    "或者",
    "如果",
    "虽然",
    "即使",
    "只要",
    "只有",
    "不但",
    "还是",
    "就是",
    "也是",
    "都是",
    "可以",
    "可能",
    "能够",
    "应该",
    "应当",
    "必须",
    "需要",
    "已经",
    "曾经",
    "正在",
    "将要",
    "没有",
    "有些",
    "有的",
    "许多",
    "很多",
    "非常",
    "十分",
    "比较",
    "更加",
    "最后",
    "后来",
    "以后",
    "以前",
    "之后",
    "之前",
    "当时",
    "时候",
    "现在",
    "今天",
    "其实",
    "其中",
    "其他",
    "其它",
    "以及",
    "并且",
    "并不",
    "于是",
    "那么",
    "这么",
    "多么",
    "起来",
    "出来",
    "下来",
    "下去",
    "过来",
    "过去",
    "知道",
    "觉得",
    "认为",
    "成为",
    "作为",
    "通过",
    "关于",
    "对于",
    "由于",
    "根据",
    "按照",
    "为了",
    "除了",
    "至于",
    "一般",
    "这是",
    "那是",
    "还有",
    "只是",
    "真的",
    "从来",
    "几乎",
    "总是",
    "常常",
    "about",
    "after",
    "again",
    "all",
    "also",
    "and",
    "any",
    "are",
    "because",
    "been",
    "before",
    "being",
    "between",
    "both",
    "but",
    "can",
    "could",
    "did",
    "does",
    "doing",
    "down",
    "each",
    "even",
    "every",
    "few",
    "for",
    "from",
    "had",
    "has",
    "have",
    "having",
    "her",
    "here",
    "hers",
    "him",
    "his",
    "how",
    "into",
    "its",
    "just",
    "like",
    "made",
    "make",
    "many",
    "may",
    "more",
    "most",
    "much",
    "must",
    "not",
    "now",
    "off",
    "once",
    "one",
    "only",
    "other",
    "our",
    "out",
    "over",
    "own",
    "same",
    "she",
    "should",
    "some",
    "such",
    "than",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "through",
    "too",
    "two",
    "under",
    "until",
    "upon",
    "very",
    "was",
    "way",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "whom",
    "why",
    "will",
    "with",
    "without",
    "would",
    "you",
    "your",
];

/// The words of a text that can be keywords, in their order, in small letters.
pub fn content_words(text: &str) -> Vec<String> {
    JIEBA.cut(text, true).into_iter().map(|token| token.word.to_lowercase()).filter(|word| is_content(word)).collect()
}

fn is_content(word: &str) -> bool {
    let letters = word.chars().count();
    let enough = if word.chars().all(is_wide) { letters >= 2 } else { letters >= 3 };
    enough && word.chars().all(char::is_alphabetic) && !STOP.contains(&word) && !is_count(word)
}

/// A numeral with a measure word: 一张, 七本.
fn is_count(word: &str) -> bool {
    const NUMERALS: &str = "一二两兩三四五六七八九十百千万萬几幾每半";
    const MEASURES: &str = "个個本张張句只隻条條件次天年月日遍章节節篇首块塊把位名口杯碗家座棵朵片层層排双雙对對种種样樣点點些下步声聲\
        阵陣场場番趟回页頁字行段间間扇盏盞封滴粒颗顆根支枝道面门門辆輛艘匹头頭群";
    let mut chars = word.chars();
    matches!((chars.next(), chars.next(), chars.next()), (Some(n), Some(measure), None)
        if NUMERALS.contains(n) && MEASURES.contains(measure))
}

/// The sentences of a text, with their marks, without the blanks around them.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    for line in text.lines() {
        let (mut start, mut chars) = (0, line.char_indices().peekable());
        while let Some((at, c)) = chars.next() {
            let next = chars.peek().map(|(_, c)| *c);
            let ends = match c {
                '。' | '！' | '？' | '；' | '…' => true,
                // A point in a number or an abbreviation has no blank after it.
                '.' | '!' | '?' => next.is_none_or(|c| c.is_whitespace() || CLOSING.contains(&c)),
                _ => CLOSING.contains(&c) && line[start..at].trim_end_matches(CLOSING).ends_with(is_end),
            };
            // Closing quotes and further marks belong to the sentence before.
            if ends && next.is_none_or(|c| !CLOSING.contains(&c) && !is_end(c)) {
                let end = chars.peek().map_or(line.len(), |(at, _)| *at);
                sentences.push(line[start..end].trim());
                start = end;
            }
        }
        sentences.push(line[start..].trim());
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

const CLOSING: [char; 8] = ['”', '’', '」', '』', '）', ')', '"', '》'];

fn is_end(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '；' | '…' | '.' | '!' | '?')
}

/// Whether at least half of a text's letters are Chinese.
pub fn is_chinese(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let (wide, all) = letters.fold((0, 0), |(wide, all), c| (wide + usize::from(is_wide(c)), all + 1));
    wide > 0 && wide * 2 >= all
}

/// Common characters that are only traditional.
pub const TRADITIONAL: &str =
    "為爲們這個說來時國學會對無長開門問間東車馬見過還進遠點體書語讀讓認論請誰謝變邊當從將發現實給難聽寫買賣親愛";
/// Common characters that are only simplified.
pub const SIMPLIFIED: &str =
    "为们这说来时国学会对长开门问间东车马见过还进远点书语读让认论请谁谢变边当从将发现实给难听写买卖亲爱";

/// Whether a text's characters are traditional rather than simplified.
pub fn is_traditional(text: impl IntoIterator<Item = char>) -> bool {
    let (mut traditional, mut simplified) = (0, 0);
    for c in text {
        traditional += usize::from(TRADITIONAL.contains(c));
        simplified += usize::from(SIMPLIFIED.contains(c));
    }
    traditional > simplified
}

/// Whether a text is in classical Chinese rather than in today's.
pub fn is_classical(text: impl IntoIterator<Item = char>) -> bool {
    let (mut classical, mut modern) = (0, 0);
    let mut text = text.into_iter().peekable();
    while let Some(c) = text.next() {
        // At the end of a clause 也 is a particle; elsewhere it is "also".
        let particle = c == '也' && text.peek().is_none_or(|next| !next.is_alphanumeric());
        classical += usize::from(particle || "之曰矣焉哉乎".contains(c));
        modern += usize::from("的了是们們这這个個吗嗎呢么麼着著过過在说說都很你您她它".contains(c));
    }
    classical >= 2 && classical > modern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_at_their_marks() {
        let text = "他说：“春天来了。”花开了！真的？？\n3.5 is a number. Is it? \"Yes.\" End";
        let expected = ["他说：“春天来了。”", "花开了！", "真的？？", "3.5 is a number.", "Is it?", "\"Yes.\"", "End"];
        assert_eq!(sentences(text), expected);
        assert!(sentences(" \n\n").is_empty());
    }

    #[test]
    fn keywords_are_words_with_a_meaning() {
        let words = content_words("我们的园丁已经知道耐心，the gardener has 3 seeds");
        assert_eq!(words, ["园丁", "耐心", "gardener", "seeds"]);
        assert_eq!(content_words("一张桌子，一句话，一生"), ["桌子", "一生"]);
    }

    #[test]
    fn languages_are_told_apart() {
        assert!(is_classical("學而時習之，不亦說乎？".chars()) && is_classical("彼亦人也，子曰。".chars()));
        assert!(!is_classical("其中之一也是我们的。".chars()) && !is_classical("也许几乎也来。".chars()));
        assert!(is_traditional("這個".chars()) && !is_traditional("这个".chars()) && !is_traditional("a".chars()));
        assert!(is_chinese("耐心 ok") && !is_chinese("patience 好") && !is_chinese("123"));
    }
}
