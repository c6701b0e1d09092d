//! `filter`: records that meet conditions.

use crate::keep;
use framework_sdk::prelude::*;
use regex::Regex;
use whatlang::Lang;

options! {
    /// Keeps records by the length, language and patterns of one field.
    ///
    /// A record must meet all conditions that are set. Use several filters for several fields. Patterns are regular
    /// expressions (<https://docs.rs/regex#syntax>) and may match anywhere in the text; `^`, `$` and `(?i)` work as
    /// usual.
    pub struct Filter {
        /// The field to test. It must be text.
        field: String,
        /// Minimum number of characters (Unicode code points).
        #[serde(default)]
        min_chars: Option<usize>,
        /// Maximum number of characters.
        #[serde(default)]
        max_chars: Option<usize>,
        /// Keep only records in which this pattern is found.
        #[serde(default)]
        keep: Option<String>,
        /// Drop records in which this pattern is found.
        #[serde(default)]
        drop: Option<String>,
        /// Keep only records in one of these languages, by their ISO 639-3 codes: `cmn` is Chinese, `eng` English. The
        /// language is detected from the text, which is unreliable for short texts.
        #[serde(default)]
        languages: Vec<String>,
    }
}

impl Filter {
    fn known_languages(&self) -> Result<Vec<Lang>> {
        let find = |code: &String| {
            Lang::from_code(code.as_str()).ok_or_else(|| {
                let codes: Vec<_> = Lang::all().iter().map(|lang| lang.code()).collect();
                PluginError::option("languages", format!("has no {code:?}; the codes are {}", codes.join(", ")))
            })
        };
        self.languages.iter().map(find).collect()
    }

    fn patterns(&self) -> Result<[Option<Regex>; 2]> {
        let compile = |option: &str, pattern: &Option<String>| {
            let regex = pattern.as_deref().map(Regex::new).transpose();
            regex.map_err(|e| PluginError::option(option, format!("is not a regular expression: {e}")))
        };
        Ok([compile("keep", &self.keep)?, compile("drop", &self.drop)?])
    }
}

impl Augmenter for Filter {
    fn validate(&self) -> Result<()> {
        if let (Some(min), Some(max)) = (self.min_chars, self.max_chars)
            && min > max
        {
            return Err(PluginError::option("min_chars", format!("({min}) is larger than `max_chars` ({max})")));
        }
        let unlimited = self.min_chars.is_none() && self.max_chars.is_none();
        if unlimited && self.keep.is_none() && self.drop.is_none() && self.languages.is_empty() {
            let message = "has no condition; give `min_chars`, `max_chars`, `keep`, `drop` or `languages`";
            return Err(PluginError::new(message));
        }
        self.known_languages()?;
        self.patterns().map(|_| ())
    }

    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        let [wanted, unwanted] = self.patterns()?;
        let languages = self.known_languages()?;
        let Self { field, min_chars, max_chars, .. } = self.clone();
        Ok(keep::keep(records, "filter", move |record| {
            let value = keep::field(record, &field)?;
            let not_text = || PluginError::new(format!("the field `{field}` is not text but {value}"));
            let text = value.as_str().ok_or_else(not_text)?;
            let count = text.chars().count();
            Ok(min_chars.is_none_or(|min| count >= min)
                && max_chars.is_none_or(|max| count <= max)
                && wanted.as_ref().is_none_or(|pattern| pattern.is_match(text))
                && !unwanted.as_ref().is_some_and(|pattern| pattern.is_match(text))
                && (languages.is_empty() || whatlang::detect_lang(text).is_some_and(|lang| languages.contains(&lang))))
        }))
    }
}

register!(augmenter "filter" => Filter, example = r#"
field = "output"
min_chars = 1
max_chars = 4000
drop = "(?i)as an ai language model"
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::{Kind, test};

    fn kept(options: &str) -> Vec<String> {
        let texts = ["", "ab", "héé", "Abc abc"].map(|text| json!({"text": text}));
        let records = test::augmenter("filter", &format!("field = \"text\"\n{options}"), texts, 1);
        records.iter().map(|r| r["text"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn counts_characters() {
        assert_eq!(kept("min_chars = 2\nmax_chars = 3"), ["ab", "héé"]);
        assert_eq!(kept("min_chars = 1"), ["ab", "héé", "Abc abc"]);
        assert_eq!(kept("max_chars = 0"), [""]);
    }

    #[test]
    fn searches_patterns() {
        assert_eq!(kept("keep = \"b\""), ["ab", "Abc abc"]);
        assert_eq!(kept("drop = \"^$|C\""), ["ab", "héé", "Abc abc"]);
        assert_eq!(kept("keep = \"(?i)^a\"\ndrop = \"\\\\s\""), ["ab"]);
    }

    #[test]
    fn guesses_the_language() {
        let texts = [
            "The old gardener waits for the rain before he plants anything at all.",
            "老园丁等着下雨，然后才种下种子。",
            "Der alte Gärtner wartet auf den Regen, bevor er überhaupt etwas pflanzt.",
            "",
        ];
        let kept = |options: &str| -> Vec<usize> {
            let records = texts.map(|text| json!({"text": text}));
            let found = test::augmenter("filter", &format!("field = \"text\"\n{options}"), records, 1);
            found.iter().map(|r| texts.iter().position(|text| r["text"] == *text).unwrap()).collect()
        };
        assert_eq!(kept("languages = [\"cmn\"]"), [1]);
        assert_eq!(kept("languages = [\"eng\", \"deu\"]"), [0, 2]);
    }

    #[test]
    #[should_panic(expected = "record 1: the field `text` is not text but [1]")]
    fn a_field_that_is_not_text_is_an_error() {
        test::augmenter("filter", "field = \"text\"\nmin_chars = 1", [json!({"text": [1]})], 1);
    }

    #[test]
    fn options_that_say_nothing_or_too_much_are_refused() {
        let refused = |mut options: Value| {
            options["field"] = "text".into();
            let declaration = test::declaration(Kind::Augmenter, "filter");
            declaration.build.augmenter("filter", &options).err().expect("an error").message
        };
        assert!(refused(json!({})).starts_with("has no condition"));
        assert!(refused(json!({"min_chars": 3, "max_chars": 2})).contains("larger than"));
        assert!(refused(json!({"languages": ["zh"]})).starts_with("`languages` has no \"zh\"; the codes are epo, eng"));
        assert!(refused(json!({"keep": "("})).starts_with("`keep` is not a regular expression"));
    }
}
