//! `qa-pairs`: questions about articles, with structured answers.

use crate::{
    hash::mix,
    words::{content_words, is_chinese, sentences},
};
use framework_sdk::prelude::*;

mod templates;

options! {
    /// Makes questions and structured answers from articles with `title`, `author`, `volume` and `content`.
    ///
    /// Yields records with `question`, `answer` and `type`. The answer is an object: 文章信息 (标题, 作者, 卷期, 类别), 主要内容 (概述,
    /// 关键段落), 关键词解释 and 关键句子解释. Its texts are taken from the article: the content should be plain text (see
    /// `clean-html`), and keywords and key sentences are read from the fields `keywords` and `key_sentences` (see
    /// `key-points`). The wording of a question is chosen at random by the seed. There are no questions about an
    /// author, volume, keyword or sentence that the article lacks.
    pub struct QaPairs {
        /// The types of questions.
        #[serde(default = "all")]
        types: Vec<Type>,
        /// Maximum number of questions of each type for an article.
        #[serde(default = "one")]
        #[schemars(range(min = 1))]
        per_type: usize,
        /// The language of the questions.
        #[serde(default)]
        language: Language,
        /// Maximum number of paragraphs that an answer quotes.
        #[serde(default = "three")]
        paragraphs: usize,
        /// The field with the article's category.
        #[serde(default = "category")]
        category: String,
        /// The value of 类别 for articles without a category.
        #[serde(default = "uncategorised")]
        default_category: String,
        /// Fields of the article to copy into its question records, after their own fields: `keywords` for augmenters
        /// that protect them, `content` for those that need it. Fields that an article lacks are left out.
        #[serde(default)]
        keep: Vec<String>,
    }
}

options! {
    /// What a question asks for.
    #[derive(Copy, Eq, Hash)]
    #[serde(rename_all = "lowercase")]
    pub enum Type {
        /// What the article says.
        Overview,
        /// Who wrote it.
        Author,
        /// Where it appeared.
        Volume,
        /// What a keyword means in it.
        Keyword,
        /// What one of its sentences means.
        Sentence,
    }
}

options! {
    /// A language.
    #[derive(Copy, Default)]
    #[serde(rename_all = "lowercase")]
    pub enum Language {
        /// The language of the article.
        #[default]
        Auto,
        /// Chinese.
        Zh,
        /// English.
        En,
    }
}

fn all() -> Vec<Type> {
    vec![Type::Overview, Type::Author, Type::Volume, Type::Keyword, Type::Sentence]
}
fn one() -> usize {
    1
}
fn three() -> usize {
    3
}
fn category() -> String {
    "category".into()
}
fn uncategorised() -> String {
    "未分类".into()
}

impl Augmenter for QaPairs {
    fn validate(&self) -> Result<()> {
        if self.types.is_empty() {
            return Err(PluginError::option("types", "is empty; no questions would be asked"));
        }
        match self.keep.iter().find(|name| matches!(name.as_str(), "question" | "answer" | "type")) {
            Some(name) => {
                Err(PluginError::option("keep", format!("has `{name}`, which is a field of the question's own")))
            }
            None => Ok(()),
        }
    }

    fn augment(&self, records: Records, seed: u64) -> Result<Records> {
        let (options, mut number) = (self.clone(), 0);
        Ok(each(records, move |record| {
            number += 1;
            let article = Article::of(&record, &options);
            let article = article.map_err(|e| PluginError::new(format!("record {number}: {}", e.message)))?;
            let mut pairs = options.pairs(&article, mix(seed, number));
            for name in &options.keep {
                if let Some(value) = record.get(name) {
                    pairs.iter_mut().for_each(|pair| drop(pair.insert(name.clone(), value.clone())));
                }
            }
            Ok(pairs)
        }))
    }
}

/// What is asked about.
struct Article {
    title: String,
    author: String,
    volume: String,
    category: String,
    paragraphs: Vec<String>,
    keywords: Vec<String>,
    key_sentences: Vec<String>,
    chinese: bool,
}

impl Article {
    fn of(record: &Record, options: &QaPairs) -> Result<Self> {
        let text = |name: &str| match record.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.trim().to_owned()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(other) => Err(PluginError::new(format!("the field `{name}` is not text but {other}"))),
        };
        let need = |name: &str| {
            let found = || record.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
            let text = text(name)?;
            match text.is_empty() {
                true => {
                    Err(PluginError::new(format!("the field `{name}` is missing or empty; the record has {}", found())))
                }
                false => Ok(text),
            }
        };
        let list = |name: &str| match record.get(name) {
            Some(Value::Array(list)) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        let (title, content) = (need("title")?, need("content")?);
        let chinese = match options.language {
            Language::Auto => is_chinese(&content),
            Language::Zh => true,
            Language::En => false,
        };
        let category = Some(text(&options.category)?).filter(|c| !c.is_empty());
        Ok(Self {
            author: text("author")?,
            volume: text("volume")?,
            category: category.unwrap_or_else(|| options.default_category.clone()),
            paragraphs: content.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            keywords: list("keywords"),
            key_sentences: list("key_sentences"),
            title,
            chinese,
        })
    }

    fn sentences(&self) -> impl Iterator<Item = &str> {
        self.paragraphs.iter().flat_map(|paragraph| sentences(paragraph))
    }

    /// Keywords that stand in a text.
    fn keywords_in(&self, text: &str) -> Vec<&str> {
        let words = content_words(text);
        self.keywords.iter().filter(|keyword| words.contains(keyword)).map(String::as_str).collect()
    }

    /// The volume as it is quoted: `第3期` for 3.
    fn volume_name(&self) -> String {
        let number = !self.volume.is_empty() && self.volume.bytes().all(|b| b.is_ascii_digit());
        if number { format!("第{}期", self.volume) } else { self.volume.clone() }
    }
}

impl QaPairs {
    fn pairs(&self, article: &Article, seed: u64) -> Vec<Record> {
        let answer = self.answer(article);
        let mut pairs = Vec::new();
        for kind in &self.types {
            let about: &[String] = match kind {
                Type::Keyword => &article.keywords,
                Type::Sentence => &article.key_sentences,
                _ => &[],
            };
            let missing = match kind {
                Type::Overview => false,
                Type::Author => article.author.is_empty(),
                Type::Volume => article.volume.is_empty(),
                Type::Keyword | Type::Sentence => about.is_empty(),
            };
            if missing {
                continue;
            }
            let wordings = templates::wordings(*kind, article.chinese);
            // Each question is another wording, or about something else.
            let most = wordings.len().max(about.len());
            let first = mix(seed, *kind as u64) as usize % wordings.len();
            for i in 0..self.per_type.min(most) {
                let wording = wordings[(first + i) % wordings.len()];
                let about = about.get(i % about.len().max(1)).map_or("", String::as_str);
                let question = wording
                    .replace("{title}", &article.title)
                    .replace("{author}", &article.author)
                    .replace("{volume}", &article.volume_name())
                    .replace("{about}", about);
                let mut pair = Record::new();
                pair.insert("question".into(), question.into());
                pair.insert("answer".into(), answer.clone());
                pair.insert("type".into(), json!(kind));
                pairs.push(pair);
            }
        }
        pairs
    }

    fn answer(&self, article: &Article) -> Value {
        let overview = match article.key_sentences.is_empty() {
            true => article.sentences().next().unwrap_or_default().to_owned(),
            false => article.key_sentences.join(if article.chinese { "" } else { " " }),
        };
        // The paragraphs with the most keywords; the first ones if there are none.
        let mut ranked: Vec<_> = article.paragraphs.iter().enumerate().collect();
        ranked.sort_by_key(|(i, paragraph)| (std::cmp::Reverse(article.keywords_in(paragraph).len()), *i));
        let mut chosen: Vec<_> = ranked.into_iter().take(self.paragraphs).collect();
        chosen.sort_by_key(|(i, _)| *i);
        let paragraphs: Vec<_> = chosen.into_iter().map(|(_, paragraph)| paragraph.clone()).collect();
        let keywords = article.keywords.iter().map(|keyword| {
            let shown = article.sentences().find(|sentence| sentence.to_lowercase().contains(keyword.as_str()));
            (keyword.clone(), Value::from(templates::keyword(&article.title, shown, article.chinese)))
        });
        let key_sentences = article.key_sentences.iter().map(|sentence| {
            let keywords = article.keywords_in(sentence);
            (sentence.clone(), Value::from(templates::sentence(&article.title, &keywords, article.chinese)))
        });
        json!({
            "文章信息": {
                "标题": article.title, "作者": article.author, "卷期": article.volume_name(), "类别": article.category,
            },
            "主要内容": { "概述": overview, "关键段落": paragraphs },
            "关键词解释": Value::Object(keywords.collect()),
            "关键句子解释": Value::Object(key_sentences.collect()),
        })
    }
}

register!(augmenter "qa-pairs" => QaPairs, example = r#"
types = ["overview", "author", "keyword"]
per_type = 2
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::test;

    fn article() -> Value {
        json!({
            "title": "耐心", "author": "林", "volume": "3", "category": "园艺", "date": "2020",
            "content": "园丁种下种子。\n天气很好。\n种子需要耐心。\n",
            "keywords": ["种子", "园丁"], "key_sentences": ["园丁种下种子。", "种子需要耐心。"],
        })
    }

    fn pairs(options: &str, article: Value, seed: u64) -> Vec<Record> {
        test::augmenter("qa-pairs", options, [article], seed)
    }

    #[test]
    fn answers_have_the_magazines_form() {
        let pair = pairs("paragraphs = 2", article(), 1).remove(0);
        assert_eq!(pair.keys().collect::<Vec<_>>(), ["question", "answer", "type"]);
        let answer = &pair["answer"];
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(answer), ["文章信息", "主要内容", "关键词解释", "关键句子解释"]);
        assert_eq!(answer["文章信息"], json!({"标题": "耐心", "作者": "林", "卷期": "第3期", "类别": "园艺"}));
        let content = json!({"概述": "园丁种下种子。种子需要耐心。", "关键段落": ["园丁种下种子。", "种子需要耐心。"]});
        assert_eq!(answer["主要内容"], content);
        assert_eq!(keys(&answer["关键词解释"]), ["种子", "园丁"]);
        assert!(answer["关键词解释"]["种子"].as_str().unwrap().contains("园丁种下种子"));
        assert_eq!(keys(&answer["关键句子解释"]), ["园丁种下种子。", "种子需要耐心。"]);
    }

    #[test]
    fn every_type_is_asked_as_often_as_wanted() {
        let types =
            |records: &[Record]| records.iter().map(|r| r["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(types(&pairs("", article(), 1)), ["overview", "author", "volume", "keyword", "sentence"]);
        let two = pairs("types = [\"keyword\"]\nper_type = 2", article(), 1);
        let about = |record: &Record, word: &str| record["question"].as_str().unwrap().contains(word);
        assert!(about(&two[0], "种子") && about(&two[1], "园丁"), "{two:?}");
        let questions = pairs("types = [\"overview\"]\nper_type = 99", article(), 1);
        let different: std::collections::BTreeSet<_> = questions.iter().map(|r| r["question"].to_string()).collect();
        assert!(questions.len() > 2 && different.len() == questions.len(), "{different:?}");
    }

    #[test]
    fn nothing_is_asked_that_the_article_does_not_have() {
        let pairs = pairs("", json!({"title": "T", "content": "One sentence. Two."}), 1);
        assert_eq!(pairs.len(), 1);
        assert!(pairs[0]["question"].as_str().unwrap().is_ascii());
        assert_eq!(
            pairs[0]["answer"]["主要内容"],
            json!({"概述": "One sentence.", "关键段落": ["One sentence. Two."]})
        );
        assert_eq!(pairs[0]["answer"]["文章信息"]["类别"], "未分类");
    }

    #[test]
    fn fields_are_kept_if_wanted() {
        let pair = pairs("keep = [\"keywords\", \"missing\", \"date\"]", article(), 1).remove(0);
        assert_eq!(pair.keys().collect::<Vec<_>>(), ["question", "answer", "type", "keywords", "date"]);
        assert_eq!(pair["keywords"], article()["keywords"]);
        let declaration = test::declaration(framework_sdk::Kind::Augmenter, "qa-pairs");
        let refused = declaration.build.augmenter("qa-pairs", &json!({"keep": ["answer"]})).err().unwrap();
        assert!(refused.message.contains("`keep` has `answer`"), "{refused}");
    }

    #[test]
    fn the_seed_draws_the_wording() {
        let question = |seed| pairs("types = [\"overview\"]", article(), seed)[0]["question"].clone();
        let drawn: std::collections::BTreeSet<_> = (0..40).map(|seed| question(seed).to_string()).collect();
        assert_eq!(drawn.len(), templates::wordings(Type::Overview, true).len());
    }

    #[test]
    #[should_panic(expected = "record 1: the field `title` is missing or empty; the record has `content`")]
    fn an_article_has_a_title() {
        pairs("", json!({"content": "a"}), 1);
    }
}
