//! Places where a text can be changed, and what must not be touched.

use crate::{
    copies::{Copies, Random, share},
    texts,
};
use framework_sdk::{PluginError, Record, Records, Result, serde_json::Value};
use regex::Regex;
use std::{collections::BTreeMap, ops::Range, sync::LazyLock};

/// A place in a text, and what may stand there instead.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    pub range: Range<usize>,
    pub alternatives: Vec<String>,
}

/// The options of augmenters that change some of a text's sites.
pub struct Rewrite {
    pub fields: Vec<String>,
    pub rate: f64,
    pub copies: Copies,
    pub protected: Vec<String>,
    pub protected_fields: Vec<String>,
}

/// `protected_fields` if it is not given.
pub fn keywords() -> Vec<String> {
    vec!["keywords".into()]
}

impl Rewrite {
    pub fn validate(&self) -> Result<()> {
        share(self.rate)?;
        self.copies.validate()?;
        for (option, list) in [("fields", &self.fields), ("protected_fields", &self.protected_fields)] {
            if list.iter().any(String::is_empty) {
                return Err(PluginError::option(option, "has an empty name"));
            }
        }
        if self.fields.is_empty() {
            return Err(PluginError::option(
                "fields",
                "is empty; name the fields to change, such as [\"instruction\"]",
            ));
        }
        if self.protected.iter().any(|word| word.trim().is_empty()) {
            return Err(PluginError::option("protected", "has an empty word"));
        }
        Ok(())
    }

    /// Copies in which some sites of the texts, which `find` finds, are changed. `find` is given what must stay, too.
    pub fn run(
        self,
        records: Records,
        seed: u64,
        find: impl Fn(&str, &[Range<usize>]) -> Vec<Site> + Send + 'static,
    ) -> Records {
        let Self { fields, rate, copies, protected, protected_fields } = self;
        let names = fields.clone();
        let find_all = move |record: &Record| {
            let words = Words::of(record, &protected, &protected_fields)?;
            let (mut all, mut number, mut copy) = (Vec::new(), 0, record.clone());
            texts::for_each(&mut copy, &names, |text| {
                if rate > 0.0 {
                    let fixed = fixed(text, &words);
                    let sites = find(text, &fixed).into_iter().filter_map(|site| allowed(text, site, &fixed));
                    all.extend(sites.map(|site| (number, site)));
                }
                number += 1;
            })?;
            Ok((!all.is_empty()).then_some(all))
        };
        copies.make(records, seed, find_all, move |record, sites: &Vec<(usize, Site)>, random| {
            let mut chosen = choose(sites, rate, random);
            let (mut copy, mut number) = (record.clone(), 0);
            let changed = texts::for_each(&mut copy, &fields, |text| {
                let mut new = String::with_capacity(text.len());
                let mut done = 0;
                while let Some(entry) = chosen.first_entry().filter(|entry| entry.key().0 == number) {
                    let (_, (site, alternative)) = entry.remove_entry();
                    new.push_str(&text[done..site.range.start]);
                    new.push_str(alternative);
                    done = site.range.end;
                }
                new.push_str(&text[done..]);
                *text = new;
                number += 1;
            });
            debug_assert!(changed.is_ok(), "the fields were there when sites were found");
            copy
        })
    }
}

/// Sites that do not overlap, by text and place: the share that is wanted, at least one if there are any.
fn choose<'a>(
    sites: &'a [(usize, Site)],
    rate: f64,
    random: &mut Random,
) -> BTreeMap<(usize, usize), (&'a Site, &'a str)> {
    let mut order: Vec<usize> = (0..sites.len()).collect();
    random.shuffle(&mut order);
    let mut chosen: BTreeMap<(usize, usize), (&Site, &str)> = BTreeMap::new();
    let mut accepted = Vec::new();
    for i in order {
        let (text, site) = &sites[i];
        let key = (*text, site.range.start);
        let before = chosen.range(..=key).next_back();
        let after = chosen.range(key..).next();
        let overlaps = before.is_some_and(|((t, _), (other, _))| t == text && other.range.end > site.range.start)
            || after.is_some_and(|((t, start), _)| t == text && *start < site.range.end);
        if !overlaps {
            chosen.insert(key, (site, random.pick(&site.alternatives[..]).as_str()));
            accepted.push(key);
        }
    }
    let wanted = ((rate * accepted.len() as f64).round() as usize).max(1);
    for key in accepted.iter().skip(wanted) {
        chosen.remove(key);
    }
    chosen
}

/// Words that must stay, in small letters, by their first character.
#[derive(Default)]
pub struct Words(BTreeMap<char, Vec<Vec<char>>>);

impl Words {
    fn add(&mut self, word: &str) {
        let word: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
        if let Some(first) = word.first().filter(|_| !word.iter().all(|c| c.is_whitespace())) {
            self.0.entry(*first).or_default().push(word);
        }
    }

    /// The words of `protected` and of these fields of a record.
    fn of(record: &Record, protected: &[String], fields: &[String]) -> Result<Self> {
        let mut words = Self::default();
        protected.iter().for_each(|word| words.add(word));
        for name in fields {
            let wrong =
                |other: &Value| PluginError::new(format!("the field `{name}` is not a list of words but {other}"));
            match record.get(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(word)) => words.add(word),
                Some(Value::Array(list)) => {
                    for value in list {
                        words.add(value.as_str().ok_or_else(|| wrong(value))?);
                    }
                }
                Some(other) => return Err(wrong(other)),
            }
        }
        Ok(words)
    }

    /// Where they stand in a text, in capitals or not, even within each other.
    fn occurrences(&self, text: &str) -> Vec<Range<usize>> {
        let mut all = Vec::new();
        for (start, c) in text.char_indices() {
            let candidates = c.to_lowercase().next().and_then(|c| self.0.get(&c)).into_iter().flatten();
            let ends = candidates.filter_map(|word| end(&text[start..], word));
            all.extend(ends.map(|length| start..start + length));
        }
        all
    }
}

/// How many bytes of `text` are `word`, if it begins with it.
fn end(text: &str, word: &[char]) -> Option<usize> {
    let mut wanted = word.iter();
    for (at, c) in text.char_indices() {
        if wanted.as_slice().is_empty() {
            return Some(at);
        }
        if !c.to_lowercase().all(|c| wanted.next() == Some(&c)) {
            return None;
        }
    }
    wanted.as_slice().is_empty().then_some(text.len())
}

/// Code, markup, formulas, addresses, titles and quotations: they are not the author's to reword.
static VERBATIM: LazyLock<Regex> = LazyLock::new(|| {
    let parts = [
        r"(?s:```.*?(?:```|\z))",
        r"`[^`\n]+`",
        r"</?[A-Za-z!][^<>]*>",
        r"\$[^$\n]+\$",
        r"[!-~]*(?:://|www\.|@)[!-~]+",
        "《[^《》]*》",
        "「[^「」]*」",
        "『[^『』]*』",
        "\"[^\"\n]*\"",
    ];
    Regex::new(&parts.join("|")).expect("a pattern of our own")
});

/// What of a text must stay as it is, in order: protected words, in capitals or not, and what is quoted or no prose.
pub fn fixed(text: &str, words: &Words) -> Vec<Range<usize>> {
    let mut fixed: Vec<_> = VERBATIM.find_iter(text).map(|found| found.range()).collect();
    fixed.extend(words.occurrences(text));
    fixed.extend(quotations(text));
    fixed.sort_by_key(|range| (range.start, range.end));
    fixed
}

/// What is between “ and ”, which may hold more of them; to the last ” if one is missing.
fn quotations(text: &str) -> Vec<Range<usize>> {
    let (mut all, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, c) in text.char_indices() {
        if c == '“' {
            if depth == 0 {
                start = at;
            }
            depth += 1;
        } else if c == '”' && depth > 0 {
            depth -= 1;
            if depth == 0 {
                all.push(start..at + c.len_utf8());
            }
        }
    }
    if let Some(at) = text[start..].rfind('”').filter(|_| depth > 0) {
        all.push(start..start + at + '”'.len_utf8());
    }
    all
}

/// The characters of a text that are not fixed.
pub fn free<'a>(text: &'a str, fixed: &'a [Range<usize>]) -> impl Iterator<Item = char> + 'a {
    let mut inside = fixed.iter().peekable();
    text.char_indices().filter_map(move |(at, c)| {
        while inside.next_if(|range| range.end <= at).is_some() {}
        inside.peek().is_none_or(|range| !range.contains(&at)).then_some(c)
    })
}

/// The site without the alternatives that would change what is fixed.
fn allowed(text: &str, mut site: Site, fixed: &[Range<usize>]) -> Option<Site> {
    let range = site.range.clone();
    let touching = || fixed.iter().filter(|f| f.start < range.end && range.start < f.end);
    if touching().any(|f| f.start < range.start || f.end > range.end || *f == range) {
        return None;
    }
    let old = &text[range.clone()];
    let keeps = |new: &str| touching().all(|f| count(new, &text[f.clone()]) == count(old, &text[f.clone()]));
    site.alternatives.retain(|new| new != old && keeps(new));
    (!site.alternatives.is_empty()).then_some(site)
}

fn count(text: &str, part: &str) -> usize {
    text.char_indices().filter(|(i, _)| text[*i..].starts_with(part)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Words {
        let mut words = Words::default();
        list.iter().for_each(|word| words.add(word));
        words
    }

    #[test]
    fn words_are_found_wherever_they_stand() {
        let expect = |text: &str, list: &[&str], expected: &[&str]| {
            let found: Vec<_> = words(list).occurrences(text).into_iter().map(|r| text[r].to_owned()).collect();
            assert_eq!(found, expected);
        };
        expect("Art and start ART", &["art"], &["Art", "art", "ART"]);
        expect("人人人", &["人人"], &["人人", "人人"]);
        expect("abc", &["bc", "ab", "AB"], &["ab", "ab", "bc"]);
        expect("耐", &["耐心", " "], &[]);
        expect("İi", &["i"], &["i"]);
    }

    #[test]
    fn what_is_no_prose_is_fixed() {
        let text = "看《大 书》说“好”。 Run `big x` or ```\nbig\n``` at http://big.org/x, <b class=big> \"big\" big";
        let parts: Vec<_> = fixed(text, &Words::default()).into_iter().map(|r| &text[r]).collect();
        let expected =
            ["《大 书》", "“好”", "`big x`", "```\nbig\n```", "http://big.org/x,", "<b class=big>", "\"big\""];
        assert_eq!(parts, expected);
    }

    #[test]
    fn quotations_hold_quotations() {
        let quoted = |text: &'static str| quotations(text).into_iter().map(|r| &text[r]).collect::<Vec<_>>();
        assert_eq!(quoted("a“b“c”d”e“f”g"), ["“b“c”d”", "“f”"]);
        assert_eq!(quoted("a“b”c“d：“e”f"), ["“b”", "“d：“e”"]);
        assert!(quoted("a”b“c").is_empty());
    }

    #[test]
    fn alternatives_keep_what_is_fixed() {
        let site = |alternatives: &[&str]| Site {
            range: 3..9,
            alternatives: alternatives.iter().map(|&a| a.to_owned()).collect(),
        };
        // The site is `cd efg` in `ab cd efg hi`.
        let text = "ab cd efg hi";
        let kept = |word: &str| allowed(text, site(&["efg cd", "cd", "cd efg"]), &fixed(text, &words(&[word])));
        assert_eq!(kept("cd"), Some(site(&["efg cd", "cd"])));
        assert_eq!(kept("efg"), Some(site(&["efg cd"])));
        assert_eq!(kept("d e"), None);
        assert_eq!(kept("b c"), None);
        assert_eq!(kept("cd efg"), None);
        assert_eq!(kept("ab"), Some(site(&["efg cd", "cd"])));
    }

    #[test]
    fn chosen_sites_do_not_overlap() {
        let site = |range: Range<usize>| (0, Site { range, alternatives: vec!["x".into()] });
        let sites = [site(0..2), site(2..4), site(1..3), site(0..4), site(4..5)];
        for seed in 0..100 {
            let chosen = choose(&sites, 1.0, &mut Random::new(seed));
            let ranges: Vec<_> = chosen.values().map(|(site, _)| site.range.clone()).collect();
            assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{ranges:?}");
            assert!(ranges.contains(&(4..5)));
            assert_eq!(choose(&sites, 0.1, &mut Random::new(seed)).len(), 1);
        }
    }
}
