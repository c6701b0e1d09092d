//! Chinese sentences.

use super::Place;
use crate::{
    sites::{Words, fixed, free},
    words::{JIEBA, is_traditional},
};

/// Characters of words that refer to something said before.
const REFERRING: [char; 13] = ['他', '她', '它', '这', '這', '那', '此', '其', '之', '该', '該', '彼', '牠'];
/// What makes it uncertain where a sentence and its clauses end.
const UNPLAIN: [char; 25] = [
    '。', '！', '？', '…', '；', '：', '“', '”', '‘', '’', '「', '」', '『', '』', '（', '）', '(', ')', '"', ':', ';',
    '?', '!', '—', '\n',
];
/// Subjects that may be followed by 就.
const PRONOUNS: &[&str] =
    &["我们", "你们", "咱们", "我們", "你們", "咱們", "大家", "人们", "人們", "自己", "我", "你", "您"];
const IF: &[&str] = &["如果", "假如", "要是", "倘若", "若是"];
/// Beginnings of clauses that need another one.
const DEPENDENT: &[&str] = &[
    "因", "由于", "由於", "虽", "雖", "尽管", "儘管", "如", "若", "假如", "要是", "倘若", "即使", "即便", "就算",
    "只要", "只有", "除", "当", "當", "为了", "為了", "无论", "無論", "不论", "不論", "不但", "不仅", "不僅", "不是",
    "既", "固然", "随着", "隨著", "与其", "與其", "宁", "寧", "既然",
];

/// A sentence of two clauses, without its mark.
fn two(sentence: &str) -> Option<(&str, &str)> {
    let body = sentence.strip_suffix('。').filter(|body| !body.contains(UNPLAIN))?;
    let (a, b) = body.split_once('，')?;
    (!b.contains('，') && !a.is_empty() && !b.is_empty()).then_some((a, b))
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn refers(text: &str) -> bool {
    text.contains(REFERRING)
}

fn strip<'a>(text: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))
}

/// Whether the first word of a clause is `word`, and not the beginning of another.
fn first_word(clause: &str, word: &str) -> bool {
    clause.starts_with(word)
        && (!JIEBA.has_word(word) || JIEBA.cut(clause, true).first().is_some_and(|token| token.word == word))
}

/// Tags of 了, 着, 过 and of particles at the end.
const PARTICLES: &[&str] = &["ul", "uz", "ug", "y"];

/// Whether a clause has a verb, an adjective, or a particle that follows one.
fn says_something(clause: &str) -> bool {
    JIEBA
        .tag(clause, true)
        .iter()
        .any(|word| word.tag.starts_with(['v', 'a', 'i', 'l']) || PARTICLES.contains(&word.tag))
}

/// A main clause without what ties it to a condition before it.
fn untied(main: &str) -> Option<String> {
    const TIES: &[&str] = &["那么就", "那麼就", "那么", "那麼", "就", "便", "则", "則"];
    let tied = |text: &str| text.contains(['就', '便', '才', '也', '又', '还', '還', '则', '則', '仍', '却', '卻']);
    if let Some(rest) = strip(main, TIES) {
        return (!tied(rest) && !rest.starts_with('是')).then(|| rest.to_owned());
    }
    for pronoun in PRONOUNS {
        if let Some(rest) = main.strip_prefix(pronoun).and_then(|rest| strip(rest, &["就", "便"])) {
            return (!tied(rest)).then(|| format!("{pronoun}{rest}"));
        }
    }
    (!tied(main)).then(|| main.to_owned())
}

pub fn reorder(sentence: &str) -> Option<String> {
    let (a, b) = two(sentence)?;
    let sure = |side: &str, main: &str| {
        let long = length(side) >= 2 && length(main) >= 3;
        long && !refers(side) && !refers(main) && says_something(side) && says_something(main)
    };
    for connective in IF {
        if let Some(side) = a.strip_prefix(connective).filter(|_| first_word(a, connective)) {
            let main = untied(b).filter(|main| sure(side, main))?;
            return Some(format!("{main}，{connective}{side}。"));
        }
        if let Some(side) = b.strip_prefix(connective).filter(|_| first_word(b, connective)) {
            let free = strip(a, DEPENDENT).is_none() && untied(a).as_deref() == Some(a);
            return (free && sure(side, a)).then(|| format!("{connective}{side}，{a}。"));
        }
    }
    None
}

/// What may begin a clause, if what follows is none of the second list.
const OPENINGS: &[(&[&str], &[&str])] = &[
    (&["如果", "假如", "倘若"], &["说", "說"]),
    (&["例如", "比如", "譬如"], &[]),
    (&["因此", "因而"], &[]),
    (&["无论", "不论"], &["如何"]),
    (&["無論", "不論"], &["如何"]),
    (&["即使", "即便"], &[]),
    (&["此外，", "另外，"], &[]),
    (&["总之，", "总而言之，"], &[]),
    (&["總之，", "總而言之，"], &[]),
    (&["换句话说，", "换言之，"], &[]),
    (&["換句話說，", "換言之，"], &[]),
];
/// What may begin a sentence, if a clause in it begins with one of the second list.
const PAIRS: &[(&[&str], &[&str])] = &[
    (&["因为", "由于"], &["所以", "因此", "因而"]),
    (&["因為", "由於"], &["所以", "因此", "因而"]),
    (&["因爲", "由於"], &["所以", "因此", "因而"]),
    (&["虽然", "尽管"], &["但", "可是", "却", "然而"]),
    (&["雖然", "儘管"], &["但", "可是", "卻", "然而"]),
    (&["不但", "不仅"], &["而且", "还", "也", "并且"]),
    (&["不但", "不僅"], &["而且", "還", "也", "並且"]),
];

pub fn connectives(sentence: &str) -> Vec<String> {
    let mut new: Vec<String> = reason(sentence).into_iter().collect();
    let clauses = || std::iter::once(0).chain(sentence.match_indices('，').map(|(at, _)| at + '，'.len_utf8()));
    let mut exchange = |at: usize, group: &[&str], unless: &[&str]| {
        let clause = &sentence[at..];
        let found =
            group.iter().find(|from| first_word(clause, from.trim_end_matches('，')) && clause.starts_with(**from));
        let Some((from, rest)) = found.map(|from| (from, &clause[from.len()..])) else { return };
        if strip(rest, unless).is_none() {
            let others = group.iter().filter(|to| *to != from);
            new.extend(others.map(|to| format!("{}{to}{rest}", &sentence[..at])));
        }
    };
    for (group, unless) in OPENINGS {
        clauses().for_each(|at| exchange(at, group, unless));
    }
    // In a question, 可是 asks.
    let group: &[&str] = if sentence.ends_with('。') { &["但是", "可是"] } else { &[] };
    clauses().for_each(|at| exchange(at, group, &[]));
    for (group, with) in PAIRS {
        if clauses().skip(1).any(|at| strip(&sentence[at..], with).is_some()) {
            exchange(0, group, &["仅", "僅"]);
        }
    }
    new
}

/// 因为A，所以B as 之所以B，是因为A, and back.
fn reason(sentence: &str) -> Option<String> {
    let (a, b) = two(sentence)?;
    if refers(&a.replace("之所以", "")) || refers(b) {
        return None;
    }
    for because in ["因为", "因為", "因爲"] {
        if let Some(cause) = a.strip_prefix(because) {
            let (subject, rest) = subject(b.strip_prefix("所以")?)?;
            return (says_something(cause) && says_something(rest))
                .then(|| format!("{subject}之所以{rest}，是{because}{cause}。"));
        }
        if let Some(cause) = b.strip_prefix('是').and_then(|b| b.strip_prefix(because)) {
            let (subject, rest) = a.split_once("之所以")?;
            return Some(format!("{because}{cause}，所以{subject}{rest}。"));
        }
    }
    None
}

/// A clause as its subject, which may be left out, and what is said of it; if that is certain.
fn subject(clause: &str) -> Option<(&str, &str)> {
    let tags = JIEBA.tag(clause, true);
    let predicate = |tag: &str| tag.starts_with(['v', 'd', 'a']) && tag != "an" && tag != "vn";
    let (head, next) = (tags.first()?, tags.get(1)?);
    if predicate(head.tag) {
        return Some(("", clause));
    }
    let noun = PRONOUNS.contains(&head.word) || head.tag.starts_with('n');
    (noun && predicate(next.tag)).then(|| clause.split_at(head.word.len()))
}

/// Connectives that begin a sentence as well as a clause.
const RESUMING: &[&str] = &["但是", "可是", "因此", "因而"];

pub fn split(sentence: &str, followed: bool) -> Option<String> {
    if let Some(part) = sentence.strip_suffix('；') {
        let sure = followed && length(part) >= 4 && !part.contains(UNPLAIN) && says_something(part);
        return (sure && strip(part, DEPENDENT).is_none()).then(|| format!("{part}。"));
    }
    let (a, b) = two(sentence)?;
    let rest = strip(b, RESUMING)?;
    let sure = length(a) >= 6 && length(rest) >= 4 && strip(a, DEPENDENT).is_none();
    (sure && says_something(a) && says_something(rest)).then(|| format!("{a}。{b}。"))
}

pub fn join(a: &str, b: &str) -> Option<String> {
    let [first, second] = [a, b].map(|text| text.strip_suffix('。').filter(|body| !body.contains(UNPLAIN)));
    let (first, second) = (first?, second?);
    let sure = !first.contains('，') && strip(first, DEPENDENT).is_none() && says_something(first);
    if let Some(rest) = strip(second, RESUMING) {
        return (sure && length(first) >= 6 && !rest.starts_with('，')).then(|| format!("{first}，{second}。"));
    }
    let parallel = length(first) <= 20 && !second.contains('，') && side_by_side(first, second);
    (sure && parallel && says_something(second)).then(|| format!("{first}；{second}。"))
}

/// Whether two clauses have words of the same lengths, and one in common.
fn side_by_side(a: &str, b: &str) -> bool {
    let (a, b) = (JIEBA.cut(a, true), JIEBA.cut(b, true));
    let mut pairs = a.iter().zip(&b);
    a.len() == b.len()
        && pairs.clone().all(|(a, b)| length(a.word) == length(b.word))
        && pairs.any(|(a, b)| a.word == b.word)
}

/// Verbs that requests begin with.
const VERBS: &[&str] = &[
    "概括", "归纳", "歸納", "介绍", "介紹", "解释", "解釋", "说明", "說明", "描述", "列出", "列举", "列舉", "写", "寫",
    "写出", "总结", "總結", "分析", "翻译", "翻譯", "给出", "給出", "提供", "比较", "比較", "回答", "结合", "結合",
    "谈谈", "談談", "评价", "評價", "阐述", "闡述", "讲述", "講述", "简述", "簡述", "生成", "创作", "創作", "改写",
    "改寫", "推荐", "推薦", "计算", "計算", "判断", "判斷", "指出", "编写", "編寫", "设计", "設計", "简要", "簡要",
    "简单", "簡單", "详细", "詳細", "告诉", "告訴", "根据", "根據",
];

/// What is asked for, without 请.
fn request(text: &str) -> Option<&str> {
    let polite = strip(text, &["请", "請", "麻烦", "麻煩"]);
    let text = polite.unwrap_or(text);
    let text = strip(text, &["您帮我", "你帮我", "您幫我", "你幫我", "帮我", "幫我", "你", "您"])
        .filter(|_| polite.is_some())
        .unwrap_or(text);
    let tokens = JIEBA.cut(text, true);
    let verb = VERBS.iter().any(|verb| first_word(text, verb) || text.starts_with(verb) && !JIEBA.has_word(verb));
    let object = tokens.get(1).is_some_and(|next| !"是的了在就也不很和与與，".contains(next.word));
    (verb && object && !text.contains(['？', '！', '?', '!', '。', '吗', '嗎', '\n'])).then_some(text)
}

pub fn question_form(sentence: &str, place: Place) -> Vec<String> {
    const ASKED: &[&str] = &["能否", "可否", "能不能", "可不可以", "可以", "能"];
    const WORDS: &[&str] = &["什么", "什麼", "谁", "誰", "怎样", "怎樣", "哪", "如何", "为何", "為何", "多少"];
    const RHETORICAL: &[&str] = &[
        "吗",
        "嗎",
        "吧",
        "呢",
        "难道",
        "難道",
        "岂",
        "豈",
        "何必",
        "何不",
        "不是",
        "怎么能",
        "怎么会",
        "怎麼能",
        "怎麼會",
        "哪能",
        "凭什么",
        "憑什麼",
        "请",
        "請",
        "哪里",
        "哪裡",
        "哪有",
        "哪像",
        "哪怕",
        "没",
        "沒",
        "什么可",
        "什麼可",
        "能否",
        "怎么",
        "怎麼",
        "呀",
        "啊",
        "啦",
        "又",
        "还",
        "還",
        "敢",
        "那",
        "可是",
        "但",
        "—",
    ];
    let traditional = is_traditional(free(sentence, &fixed(sentence, &Words::default())));
    let form = |simplified: &'static str, other: &'static str| if traditional { other } else { simplified };
    if let Some(question) = sentence.strip_suffix('？') {
        let asked = strip(question, ASKED).map(|rest| rest.trim_end_matches(['吗', '嗎']));
        if let Some(request) = asked.and_then(request) {
            return vec![format!("{}{request}。", form("请", "請"))];
        }
        let real = WORDS.iter().any(|word| question.contains(word))
            && !RHETORICAL.iter().any(|word| question.contains(word))
            && length(question) >= 4
            && balanced(question);
        let mut new = Vec::new();
        if real && place.first {
            new.push(format!("{}{sentence}", form("请问", "請問")));
        }
        if real && place.alone {
            new.push(format!("{}{sentence}", form("请告诉我：", "請告訴我：")));
        }
        return new;
    }
    let text = match sentence.strip_suffix('。') {
        Some(text) => text,
        None if place.alone && sentence.ends_with(char::is_alphanumeric) => sentence,
        None => return Vec::new(),
    };
    let Some(request) = request(text).filter(|request| balanced(request)) else { return Vec::new() };
    let all = [
        format!("{}{request}。", form("请", "請")),
        format!("能否{request}？"),
        format!("可以{request}{}？", form("吗", "嗎")),
        format!("{}你{request}。", form("麻烦", "麻煩")),
    ];
    all.into_iter().filter(|new| new != sentence && new.trim_end_matches('。') != sentence).collect()
}

fn balanced(text: &str) -> bool {
    let pairs = [('“', '”'), ('「', '」'), ('『', '』'), ('（', '）'), ('《', '》')];
    pairs.iter().all(|(open, close)| text.matches(*open).count() == text.matches(*close).count())
}
