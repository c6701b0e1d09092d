//! English sentences.

use super::Place;

/// Words that clauses begin with, and that are written small within a sentence; but for "I".
const SUBJECTS: &str = "\
    i you we the a an my your our each every some most many people everyone everybody someone somebody";
/// Pronouns that are only subjects.
const NOMINATIVES: &str = "i we he she they";
/// Words that refer to something said before.
const REFERRING: &str = "\
    he she it they him her them his hers its their theirs himself herself itself themselves this that these \
    those such one ones former latter there here same other others another both either neither";
/// Words that begin or may begin further clauses, so that it is not certain where one ends.
const JOINING: &str = "\
    and or but nor so yet that which who whom whose whether if because since although though when whenever \
    while unless until before after as than then where why how what ask asks asked believe believes believed \
    check checks checked decide decides decided determine determines determined explain explains explained \
    feel feels felt find finds found guess hope hopes hoped know knows knew remember remembers remembered say \
    says said see sees saw show shows showed suppose sure tell tells told think thinks thought wonder wonders \
    wondered";
/// Words after which "because" gives no reason for the clause before.
const NEGATING: &str = "\
    not never no nothing nobody none cannot hardly only just even mainly partly simply largely precisely \
    mostly probably perhaps maybe is was be";
/// Words of the present and of possibility: "since" with them is no date.
const PRESENT: &str = "is are am can will should must may might do does need want";
/// Words that make a clause complete.
const FINITE: &str = "\
    is are am was were can could will would should must may might has have had do does did";
/// Last words of what looks like a sentence and is none.
const ABBREVIATIONS: &str = "mr mrs ms dr prof st no vs eg ie etc approx fig";

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The first letter small, but for "I". For words that are known not to be names.
fn small(text: &str) -> String {
    if first(text) == "i" {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn first(text: &str) -> String {
    words(text).next().unwrap_or_default()
}

/// Whether `word` is in a list of words with spaces between them.
fn is_in(word: &str, list: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

fn has(text: &str, list: &str) -> bool {
    words(text).any(|word| is_in(&word, list))
}

fn begins(text: &str, list: &str) -> bool {
    is_in(&first(text), list)
}

/// A sentence without its full stop, if nothing makes it uncertain where it and its clauses end.
fn body(sentence: &str) -> Option<&str> {
    let body = sentence.strip_suffix('.')?;
    let plain = |c: char| c.is_alphanumeric() || " ,;'’-%".contains(c);
    let last = body.rsplit(' ').next()?;
    let whole = last.chars().count() > 1 && last.chars().all(char::is_lowercase) && !is_in(last, ABBREVIATIONS);
    (whole && body.chars().all(plain)).then_some(body)
}

/// Whether `text` is a clause that can stand anywhere: nothing in it refers to another or joins one to it.
fn free(text: &str) -> bool {
    let complete = words(text).count() >= 3 && begins(text, SUBJECTS);
    complete && !text.contains([',', ';']) && !has(text, REFERRING) && !has(text, JOINING)
}

/// Whether `text` can stand as a sentence.
fn independent(text: &str) -> bool {
    let subject = begins(text, SUBJECTS) || begins(text, NOMINATIVES) || begins(text, "it this these there");
    subject && words(text).count() >= 3
}

fn negated(text: &str) -> bool {
    has(text, NEGATING) || text.contains("n't") || text.contains("n’t")
}

const CONCESSIVE: &[&str] = &["even though", "although", "though"];
/// Connectives that may stand in front.
const FRONT: &[&str] = &[
    "because",
    "even though",
    "although",
    "though",
    "if",
    "unless",
    "whenever",
    "when",
    "while",
    "until",
    "before",
    "after",
];
/// Connectives in the middle that are nothing else.
const MIDDLE: &[&str] = &["because", "unless", "even though", "although"];

pub fn reorder(sentence: &str) -> Option<String> {
    let body = body(sentence)?;
    let pause = |connective| if CONCESSIVE.contains(&connective) { "," } else { "" };
    for &connective in FRONT {
        let rest = body.strip_prefix(&capitalised(connective)).and_then(|rest| rest.strip_prefix(' '));
        let Some((side, main)) = rest.and_then(|rest| rest.split_once(", ")) else { continue };
        let main = main.strip_prefix("then ").unwrap_or(main);
        if free(side) && free(main) && !(connective == "because" && negated(main)) {
            return Some(format!("{}{} {connective} {side}.", capitalised(main), pause(connective)));
        }
    }
    for &connective in MIDDLE {
        let Some((main, side)) = body.split_once(&format!("{} {connective} ", pause(connective))) else { continue };
        if free(side) && free(main) && !(connective == "because" && negated(main)) {
            return Some(format!("{} {side}, {}.", capitalised(connective), small(main)));
        }
    }
    None
}

/// What may stand in front of a sentence, with a comma after it.
const ADVERBIALS: &[&[&str]] = &[
    &["Therefore", "Thus", "Hence"],
    &["For example", "For instance"],
    &["Furthermore", "Moreover", "In addition", "Additionally"],
    &["Nevertheless", "Nonetheless"],
    &["In other words", "That is to say"],
    &["In conclusion", "To conclude"],
    &["As a result", "As a consequence", "Consequently"],
    &["In short", "In brief"],
    &["Meanwhile", "In the meantime"],
];
/// What may stand anywhere.
const PHRASES: &[(&str, &str)] = &[
    (", for example, ", ", for instance, "),
    (", for instance, ", ", for example, "),
    (" due to the fact that ", " because "),
    (" in order to ", " so as to "),
];

pub fn connectives(sentence: &str) -> Vec<String> {
    let mut new = Vec::new();
    for group in ADVERBIALS {
        let found = group.iter().find_map(|from| Some((from, sentence.strip_prefix(from)?.strip_prefix(", ")?)));
        if let Some((from, rest)) = found {
            new.extend(group.iter().filter(|to| *to != from).map(|to| format!("{to}, {rest}")));
        }
    }
    for (from, to) in PHRASES {
        if sentence.matches(from).count() == 1 {
            new.push(sentence.replace(from, to));
        }
    }
    let in_front = |connective: &str| sentence.strip_prefix(connective).and_then(|rest| rest.split_once(", "));
    if let Some((side, main)) = in_front("Because ")
        && first(side) != "of"
        && has(side, PRESENT)
    {
        new.push(format!("Since {side}, {main}"));
    }
    if let Some((side, main)) = in_front("Since ")
        && independent(side)
        && has(side, PRESENT)
        && !has(side, "have has had ve")
    {
        new.push(format!("Because {side}, {main}"));
    }
    for (from, to) in [("Although ", "Even though "), ("Even though ", "Although ")] {
        if let Some((side, main)) = in_front(from)
            && independent(side)
        {
            new.push(format!("{to}{side}, {main}"));
        }
    }
    new
}

pub fn split(sentence: &str) -> Option<String> {
    let body = body(sentence)?;
    if let Some((a, b)) = body.split_once("; ")
        && !b.contains(';')
        && independent(a)
        && independent(b)
    {
        return Some(format!("{a}. {}.", capitalised(b)));
    }
    let (a, b) = body.split_once(", ")?;
    if b.contains([',', ';']) || !independent(a) || has(a, JOINING) {
        return None;
    }
    if let Some(b) = b.strip_prefix("and ").filter(|b| begins(b, NOMINATIVES) && independent(b)) {
        return Some(format!("{a}. {}.", capitalised(b)));
    }
    // An apology is no statement to contrast with.
    if words(a).count() < 4 || has(a, "sorry afraid") {
        return None;
    }
    let b = b.strip_prefix("but ").filter(|b| begins(b, NOMINATIVES) && independent(b))?;
    Some(format!("{a}. However, {b}."))
}

pub fn join(a: &str, b: &str) -> Option<String> {
    let a = body(a).filter(|a| independent(a) && !has(a, JOINING) && !a.contains([',', ';']))?;
    if let Some(b) = b.strip_prefix("However, ") {
        let rest = body(b).filter(|b| independent(b) && !b.contains([',', ';']))?;
        return Some(format!("{a}, but {}.", small(rest)));
    }
    let b = body(b).filter(|b| independent(b) && !b.contains([',', ';']))?;
    let fits = |text: &str| has(text, FINITE) && words(text).count() <= 12;
    (fits(a) && fits(b)).then(|| format!("{a}; {}.", small(b)))
}

/// Verbs that requests begin with.
const VERBS: &str = "\
    add analyze analyse arrange calculate categorize choose classify come compare compose compute construct \
    convert create define delete derive describe determine develop differentiate discuss divide edit \
    elaborate evaluate explain find formulate generate give identify illustrate implement improve introduce \
    make organize paraphrase predict prepare propose provide recommend rephrase replace rewrite select \
    simplify solve sort suggest summarise summarize take tell translate transform turn verify write";
/// Verbs that are nouns too; what follows tells.
const NOUNS_TOO: &str = "\
    answer brainstorm change complete correct count design estimate group list name outline plan rank rate \
    read remove research show state use";
const DETERMINERS: &str = "\
    a an the this these that those your my its their some any all each two three four five six seven eight \
    nine ten different at me why how what whether";

/// A request's verb and what follows, without "please".
fn request(text: &str) -> Option<String> {
    let text = text.strip_prefix("Please ").or(text.strip_prefix("please ")).unwrap_or(text);
    let text = text.strip_suffix(", please").unwrap_or(text);
    let (verb, rest) = text.split_once(' ')?;
    let verb = verb.to_lowercase();
    let next = first(rest);
    let plain = is_in(&verb, VERBS) && !is_in(&next, "is are was were of");
    let number = next.bytes().all(|b| b.is_ascii_digit());
    let certain = is_in(&verb, NOUNS_TOO) && (number || is_in(&next, DETERMINERS));
    ((plain || certain) && !text.contains(['?', '!'])).then(|| small(text))
}

pub fn question_form(sentence: &str, place: Place) -> Vec<String> {
    const ASKED: &[&str] = &["Can you ", "Could you ", "Would you ", "Will you "];
    const QUESTIONS: &[&str] = &["What", "Who", "When", "Where", "Why", "How", "Which"];
    if let Some(question) = sentence.strip_suffix('?') {
        if let Some(request) = ASKED.iter().find_map(|asked| request(question.strip_prefix(asked)?)) {
            return vec![format!("{}.", capitalised(&request)), format!("Please {request}.")];
        }
        let mut words = question.split(' ');
        let real = words.next().is_some_and(|word| QUESTIONS.contains(&word))
            && words.next().is_some_and(|word| !["about", "not", "come", "if", "else"].contains(&word));
        return match real && place.alone && !question.contains('?') {
            true => ["I have a question: ", "Please answer this question: ", "My question is: "]
                .map(|opening| format!("{opening}{sentence}"))
                .into(),
            false => Vec::new(),
        };
    }
    let text = match sentence.strip_suffix('.') {
        Some(text) => text,
        None if place.alone && sentence.ends_with(char::is_alphanumeric) => sentence,
        None => return Vec::new(),
    };
    if text.ends_with('.') || text.rsplit(' ').next().is_some_and(|last| is_in(&last.to_lowercase(), ABBREVIATIONS)) {
        return Vec::new();
    }
    let Some(request) = request(text) else { return Vec::new() };
    let all = [
        format!("{}.", capitalised(&request)),
        format!("Please {request}."),
        format!("Can you {request}?"),
        format!("Could you please {request}?"),
        format!("I would like you to {request}."),
    ];
    all.into_iter().filter(|new| new != sentence && new.trim_end_matches('.') != sentence).collect()
}
