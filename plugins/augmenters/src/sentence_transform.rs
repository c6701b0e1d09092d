//! `sentence-transform`: other sentences for the same.

use crate::{
    copies::{self, Copies},
    sites::{self, Rewrite, Site, free},
    words::{is_chinese, is_classical, sentences},
};
use framework_sdk::prelude::*;
use std::ops::Range;

mod chinese;
mod english;

options! {
    /// Makes copies of records in which some sentences are rephrased without a change of meaning.
    ///
    /// The rules are conservative: clauses are reordered only if no pronoun can refer from one to the other, sentences
    /// that fit no pattern stay unchanged, and classical Chinese is only split. The transforms are tried on each
    /// sentence in their order. Protected words, field names, and quoted or non-prose text (`“…”`, `"…"`, 《…》, code,
    /// tags, formulas, addresses) are never changed. Copies that equal the record or each other are dropped; a record
    /// without copies passes unchanged.
    pub struct SentenceTransform {
        /// The fields to change, including all texts within them. Every record must have them.
        fields: Vec<String>,
        /// Transformations that may be applied to a sentence, in this order.
        #[serde(default = "transforms")]
        transforms: Vec<Transform>,
        /// Share of the places where a change is possible that are changed. If it is above 0, at least one place is
        /// changed.
        #[serde(default = "half")]
        #[schemars(range(min = 0.0, max = 1.0))]
        rate: f64,
        /// Maximum number of changed copies of a record.
        #[serde(default = "copies::one")]
        #[schemars(range(min = 1))]
        copies: usize,
        /// Keep the original record, before its copies.
        #[serde(default = "copies::yes")]
        keep_original: bool,
        /// Words that are never changed, regardless of case.
        #[serde(default)]
        protected: Vec<String>,
        /// Fields of the record that list words to leave unchanged in that record, such as those that `key-points`
        /// adds. A record may lack them.
        #[serde(default = "sites::keywords")]
        protected_fields: Vec<String>,
    }
}

options! {
    /// A transformation of a sentence.
    #[derive(Copy)]
    #[serde(rename_all = "kebab-case")]
    pub enum Transform {
        /// Equivalent connectives: 因为A，所以B becomes 之所以B，是因为A; "For example" becomes "For instance".
        Connectives,
        /// Clauses change places: "If A, B." becomes "B if A."; 如果A，B becomes B，如果A; and back.
        ReorderClauses,
        /// One sentence becomes two: at semicolons, at "and" and "but" between clauses, before 但是 and 因此.
        Split,
        /// Two short sentences become one.
        Join,
        /// Requests become questions, and more or less polite; for prompts, not for answers. "Describe X." becomes
        /// "Could you please describe X?"; 请介绍X。 becomes 能否介绍X？
        QuestionForm,
    }
}

fn transforms() -> Vec<Transform> {
    vec![Transform::Connectives, Transform::ReorderClauses, Transform::Split, Transform::Join]
}
fn half() -> f64 {
    0.5
}

impl SentenceTransform {
    fn rewrite(&self) -> Rewrite {
        let copies = Copies { plugin: "sentence-transform", count: self.copies, keep_original: self.keep_original };
        Rewrite {
            fields: self.fields.clone(),
            rate: self.rate,
            copies,
            protected: self.protected.clone(),
            protected_fields: self.protected_fields.clone(),
        }
    }
}

impl Augmenter for SentenceTransform {
    fn validate(&self) -> Result<()> {
        if self.transforms.is_empty() {
            let message = "`transforms` is empty; name what may be done, such as [\"connectives\", \"split\"]";
            return Err(PluginError::new(message).key("transforms"));
        }
        self.rewrite().validate()
    }

    fn augment(&self, records: Records, seed: u64) -> Result<Records> {
        let transforms = self.transforms.clone();
        Ok(self.rewrite().run(records, seed, move |text, fixed| sites(text, fixed, &transforms)))
    }
}

/// Where a sentence stands.
#[derive(Clone, Copy)]
struct Place {
    /// It is the text's first.
    first: bool,
    /// It is the text's only one.
    alone: bool,
    /// Another follows on the same line, and no list has begun before.
    followed: bool,
    /// The text is in classical Chinese.
    classical: bool,
}

/// The sentences of a text that can be changed, and the pairs that can be joined.
fn sites(text: &str, fixed: &[Range<usize>], transforms: &[Transform]) -> Vec<Site> {
    let start = |sentence: &str| sentence.as_ptr() as usize - text.as_ptr() as usize;
    let all = sentences(text);
    let classical = is_classical(free(text, fixed));
    let mut sites = Vec::new();
    for (i, sentence) in all.iter().enumerate() {
        let at = start(sentence);
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let listed =
            text[text[..at].rfind(['。', '！', '？']).map_or(0, |end| end).max(line)..at].contains(['：', ':']);
        let followed = all.get(i + 1).is_some_and(|next| !text[at..start(next)].contains('\n'));
        let place = Place { first: i == 0, alone: all.len() == 1, followed: followed && !listed, classical };
        let alternatives = variants(sentence, place, transforms);
        sites.push(Site { range: at..at + sentence.len(), alternatives });
        let Some(next) = all.get(i + 1).filter(|_| followed && !classical && transforms.contains(&Transform::Join))
        else {
            continue;
        };
        let both = is_chinese(sentence) && is_chinese(next);
        let joined = if both { chinese::join(sentence, next) } else { english::join(sentence, next) };
        sites.push(Site { range: at..start(next) + next.len(), alternatives: joined.into_iter().collect() });
    }
    sites
}

/// The most ways of putting a sentence that are looked at.
const MOST: usize = 32;

/// What becomes of a sentence if each transform is applied or not.
fn variants(sentence: &str, place: Place, transforms: &[Transform]) -> Vec<String> {
    let chinese = is_chinese(sentence);
    let classical = chinese && place.classical;
    let mut all = vec![sentence.to_owned()];
    for transform in transforms {
        if classical && !matches!(transform, Transform::Split) {
            continue;
        }
        let apply = |sentence: &String| match (transform, chinese) {
            (Transform::Connectives, true) => chinese::connectives(sentence),
            (Transform::Connectives, false) => english::connectives(sentence),
            (Transform::ReorderClauses, true) => chinese::reorder(sentence).into_iter().collect(),
            (Transform::ReorderClauses, false) => english::reorder(sentence).into_iter().collect(),
            (Transform::Split, true) => chinese::split(sentence, place.followed).into_iter().collect(),
            (Transform::Split, false) => english::split(sentence).into_iter().collect(),
            (Transform::QuestionForm, true) => chinese::question_form(sentence, place),
            (Transform::QuestionForm, false) => english::question_form(sentence, place),
            (Transform::Join, _) => Vec::new(),
        };
        for new in all.iter().flat_map(apply).collect::<Vec<_>>() {
            if all.len() < MOST && !all.contains(&new) {
                all.push(new);
            }
        }
    }
    all.split_off(1)
}

register!(augmenter "sentence-transform" => SentenceTransform, example = r#"
fields = ["question"]
transforms = ["connectives", "reorder-clauses", "question-form"]
copies = 2
"#);

#[cfg(test)]
#[path = "sentence_transform/tests.rs"]
mod tests;
