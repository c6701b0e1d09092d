//! `magazine-json`: articles of a magazine.

use crate::{
    fields,
    input::{self, Encoding, JSON, Place, files},
    numerals,
    rows::{self, Fault, OnError},
};
use framework_sdk::prelude::*;
use std::ops::RangeInclusive;

options! {
    /// Articles of a magazine from a JSON array, JSON lines or a folder of files.
    ///
    /// Yields records with the text fields `title`, `author`, `volume`, `content` and `date`, followed by all other
    /// fields of the article. Title and content are required. The content is unchanged, including HTML; augmenters turn
    /// it into training data. Files may be compressed with gzip or Zstandard.
    #[schemars(extend("x-reads" = "paths"))]
    pub struct MagazineJson {
        /// The file, or a folder of `.json`, `.jsonl` and `.ndjson` files, which are read in the order of their names.
        path: FilePath,
        /// The volumes to read: `"1-10"`, or several with commas between them, `"1-10, 15"`. An article's volume is the
        /// first number in its field, in digits or in Chinese: `第十期` is 10. Default: all.
        #[serde(default)]
        volumes: Option<String>,
        /// The field that holds the title.
        #[serde(default = "title")]
        title: String,
        /// The field that holds the author.
        #[serde(default = "author")]
        author: String,
        /// The field that holds the volume.
        #[serde(default = "volume")]
        volume: String,
        /// The field that holds the article itself.
        #[serde(default = "content")]
        content: String,
        /// The field that holds the date.
        #[serde(default = "date")]
        date: String,
        /// Encoding of the text. `auto` recognises UTF-8, UTF-16 with a byte order mark, and the usual encodings of
        /// Chinese, Japanese and Korean.
        #[serde(default = "input::auto")]
        encoding: String,
        /// What to do with a malformed row.
        #[serde(default)]
        on_error: OnError,
    }
}

fn title() -> String {
    "title".into()
}
fn author() -> String {
    "author".into()
}
fn volume() -> String {
    "volume".into()
}
fn content() -> String {
    "content".into()
}
fn date() -> String {
    "date".into()
}

impl Dataset for MagazineJson {
    fn validate(&self) -> Result<()> {
        let names = [&self.title, &self.author, &self.volume, &self.content, &self.date];
        if (1..names.len()).any(|i| names[..i].contains(&names[i])) {
            let message = "`title`, `author`, `volume`, `content` and `date` must name different fields";
            return Err(PluginError::new(message).key("title"));
        }
        self.ranges()?;
        Encoding::named(&self.encoding).map(|_| ())
    }

    fn open(&self, skipped: &Skipped) -> Result<Records> {
        let (options, ranges, encoding) = (self.clone(), self.ranges()?, Encoding::named(&self.encoding)?);
        let objects = rows::of_files(files(&self.path, JSON)?, move |file| input::json(&file, &encoding));
        let rows = objects.filter_map(move |object| {
            object.and_then(|(place, object)| options.record(object, ranges.as_deref(), &place)).transpose()
        });
        Ok(rows::records(skipped, self.on_error, rows))
    }
}

impl MagazineJson {
    fn ranges(&self) -> Result<Option<Vec<RangeInclusive<u64>>>> {
        let range = |part: &str| {
            let (first, last) = part.split_once(['-', '–', '—']).unwrap_or((part, part));
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (first <= last).then_some(first..=last)
        };
        let parse = |text: &String| {
            let ranges = text.split([',', '，']).map(range).collect::<Option<_>>();
            ranges.ok_or_else(|| {
                PluginError::option("volumes", format!("is {text:?}; expected numbers and ranges such as \"1-10, 15\""))
            })
        };
        self.volumes.as_ref().map(parse).transpose()
    }

    /// The object as a record; none if its volume is not wanted.
    fn record(
        &self,
        mut object: Record,
        ranges: Option<&[RangeInclusive<u64>]>,
        place: &Place,
    ) -> Result<Option<Record>, Fault> {
        let mut optional =
            |name| fields::take(&mut object, name, place).map(|text| text.unwrap_or_default().trim().to_owned());
        let [author, volume, date] = [optional(&self.author)?, optional(&self.volume)?, optional(&self.date)?];
        if let Some(ranges) = ranges {
            let number = numerals::first_number(&volume).ok_or_else(|| {
                let hint = "`volumes` needs one in every article";
                place.wrong(format!("the field `{}` is {volume:?}, which has no number; {hint}", self.volume))
            })?;
            if !ranges.iter().any(|range| range.contains(&number)) {
                return Ok(None);
            }
        }
        let title = fields::need(&mut object, &self.title, "title", place)?.trim().to_owned();
        let content = fields::need(&mut object, &self.content, "content", place)?;
        let named = [("title", title), ("author", author), ("volume", volume), ("content", content), ("date", date)];
        let mut record: Record = named.map(|(name, text)| (name.to_owned(), Value::from(text))).into_iter().collect();
        for (name, value) in object {
            record.entry(name).or_insert(value);
        }
        Ok(Some(record))
    }
}

register!(dataset "magazine-json" => MagazineJson, example = r#"
path = "magazine.json"
volumes = "1-10"
"#);

#[cfg(test)]
mod tests {
    use crate::testing::Folder;
    use framework_sdk::serde_json::{Value, json};

    const ARTICLES: &str = r#"[
        {"title": " One ", "author": "A ", "volume": 1, "content": "<p>first</p>", "date": "2020", "tags": ["x"]},
        {"title": "Two", "volume": "第十期", "content": " second\n"},
        {"title": "Three", "author": null, "volume": "Vol. 11", "content": "third"}
    ]"#;

    fn titles(options: &str) -> Vec<String> {
        let records = Folder::of("m.json", ARTICLES).read("magazine-json", options).unwrap();
        records.iter().map(|r| r["title"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn articles_have_the_same_fields_in_the_same_order() {
        let records = Folder::of("m.json", ARTICLES).read("magazine-json", "").unwrap();
        let expected = [
            r#"{"title":"One","author":"A","volume":"1","content":"<p>first</p>","date":"2020","tags":["x"]}"#,
            r#"{"title":"Two","author":"","volume":"第十期","content":" second\n","date":""}"#,
            r#"{"title":"Three","author":"","volume":"Vol. 11","content":"third","date":""}"#,
        ];
        assert_eq!(records.iter().map(Value::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn volumes_are_chosen_by_number() {
        assert_eq!(titles("volumes = \"1-10\""), ["One", "Two"]);
        assert_eq!(titles("volumes = \"2-9, 11\""), ["Three"]);
        assert_eq!(titles("volumes = \"10\""), ["Two"]);
        let folder = Folder::of("m.json", ARTICLES);
        for wrong in ["ten", "5-1", "1-", ""] {
            let error = folder.refused("magazine-json", &format!("volumes = {wrong:?}"));
            assert!(error.ends_with("expected numbers and ranges such as \"1-10, 15\""), "{error}");
        }
        let folder = Folder::of("m.jsonl", "{\"title\": \"a\", \"content\": \"b\", \"volume\": \"?\"}");
        let error = folder.refused("magazine-json", "volumes = \"1\"");
        assert!(error.contains("m.jsonl:1:1: the field `volume` is \"?\", which has no number"), "{error}");
    }

    #[test]
    fn fields_can_be_renamed_and_must_be_there() {
        let folder = Folder::of("m.jsonl", "{\"标题\": \"春\", \"正文\": \"天\"}");
        let record = &folder.read("magazine-json", "title = \"标题\"\ncontent = \"正文\"").unwrap()[0];
        assert_eq!(record, &json!({"title": "春", "author": "", "volume": "", "content": "天", "date": ""}));
        let error = folder.refused_at("magazine-json", "m.jsonl");
        assert!(error.starts_with("1:1: there is no field `title`, only `标题`, `正文`; "), "{error}");
        let error = folder.refused("magazine-json", "title = \"content\"");
        assert!(error.ends_with("must name different fields"), "{error}");
    }

    #[test]
    fn a_folder_with_an_article_a_file() {
        let folder = Folder::of("2.json", r#"{"title": "b", "content": "c"}"#)
            .with("1.json", "{\n\"title\": \"a\",\n\"content\": \"c\"\n}\n");
        let titles: Vec<_> = folder.whole("magazine-json", "").unwrap().iter().map(|r| r["title"].clone()).collect();
        assert_eq!(titles, ["a", "b"]);
    }
}
