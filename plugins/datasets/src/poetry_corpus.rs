//! `poetry-corpus`: poems.

use crate::{
    fields,
    input::{self, Encoding, JSON, Place, extension, files},
    rows::{self, Fault, OnError},
};
use framework_sdk::prelude::*;
use std::{path::Path, sync::Arc};

mod form;
mod plain;

options! {
    /// Poems, which are trained as they are, line by line.
    ///
    /// Yields records with the field `text`, with `title` and `author` where they are known, and with `form` if that
    /// option is set. Each JSON object is a poem. Its lines are a list or a text in `paragraphs`, `para`, `lines`,
    /// `content`, `text` or `poem`, whichever comes first. Objects inside it are poems of their own. They inherit the
    /// outer title and author unless they have their own. A title may be called `title`, `rhythmic`, `chapter` or
    /// `section`. In plain text, poems are separated by blank lines, and a first line such as `《题目》作者` is the heading.
    /// Empty poems are skipped.
    #[schemars(extend("x-reads" = "paths"))]
    pub struct PoetryCorpus {
        /// The file, or a folder of `.json`, `.jsonl`, `.ndjson` and `.txt` files, read in the order of their names.
        path: FilePath,
        /// Heading that each text begins with, one line per part. Unknown parts are left out.
        #[serde(default)]
        heading: Heading,
        /// Begin each text, before its heading, with a line that names the poem's form in brackets: `［五言绝句］`, `［七言律诗］`,
        /// `［杂言］`, `［新诗］`and so on. The form is derived from the lengths of the verses.
        #[serde(default)]
        form: bool,
        /// Separator between the lines of a poem. For tokenizers that drop line breaks, such as WordPiece, use a
        /// character that they keep.
        #[serde(default = "line_break")]
        line_break: String,
        /// How plain text is divided into poems.
        #[serde(default)]
        unit: Unit,
        /// The field that holds the poem. Default: the first of `paragraphs`, `para`, `lines`, `content`, `text` and
        /// `poem` that occurs.
        #[serde(default)]
        body: Option<String>,
        /// The field that holds the title. Default: the first of `title`, `rhythmic`, `chapter` and `section` that
        /// occurs.
        #[serde(default)]
        title: Option<String>,
        /// The field that holds the author. Default: `author`.
        #[serde(default)]
        author: Option<String>,
        /// Encoding of the text. `auto` recognises UTF-8, UTF-16 with a byte order mark, and the usual encodings of
        /// Chinese, Japanese and Korean.
        #[serde(default = "input::auto")]
        encoding: String,
        /// What to do with a malformed row.
        #[serde(default)]
        on_error: OnError,
    }
}

options! {
    /// Heading that a text begins with.
    #[derive(Copy, Default)]
    #[serde(rename_all = "kebab-case")]
    pub enum Heading {
        /// No heading.
        #[default]
        None,
        /// The title.
        Title,
        /// The title, then the author.
        TitleAuthor,
    }
}

options! {
    /// How plain text is divided into poems.
    #[derive(Copy, Default)]
    #[serde(rename_all = "kebab-case")]
    pub enum Unit {
        /// Each block of lines up to a blank line.
        #[default]
        Paragraph,
        /// Each line.
        Line,
    }
}

fn line_break() -> String {
    "\n".into()
}

const BODY: [&str; 6] = ["paragraphs", "para", "lines", "content", "text", "poem"];
const TITLE: [&str; 4] = ["title", "rhythmic", "chapter", "section"];

impl Dataset for PoetryCorpus {
    fn validate(&self) -> Result<()> {
        Encoding::named(&self.encoding).map(|_| ())
    }

    fn open(&self, skipped: &Skipped) -> Result<Records> {
        let (options, encoding) = (self.clone(), Encoding::named(&self.encoding)?);
        let extensions: Vec<_> = JSON.iter().chain(&["txt"]).copied().collect();
        let rows = rows::of_files(files(&self.path, &extensions)?, move |file| options.read(&file, &encoding));
        Ok(rows::records(skipped, self.on_error, rows))
    }
}

/// The most bytes of a title or an author, which every poem of an object may have.
const MAX_NAME: usize = 4 << 10;

/// A poem.
#[derive(Debug, Default)]
struct Poem {
    title: Option<Arc<str>>,
    author: Option<Arc<str>>,
    lines: Vec<String>,
}

type Poems = Box<dyn Iterator<Item = Result<Record, Fault>> + Send>;

impl PoetryCorpus {
    fn read(&self, path: &Path, encoding: &Encoding) -> Result<Poems> {
        let options = Arc::new(self.clone());
        if !extension(path).is_some_and(|e| JSON.contains(&e.as_str())) {
            let poems = plain::poems(path, encoding, self.unit)?;
            return Ok(Box::new(poems.filter_map(move |poem| poem.map(|p| p.record(&options)).transpose())));
        }
        let rows = input::json(path, encoding)?.flat_map(move |object| {
            let (options, mut poems) = (options.clone(), Vec::new());
            let read = object.and_then(|(place, object)| options.poems(object, &Poem::default(), &place, &mut poems));
            if read.is_err() {
                poems.clear();
            }
            // One at a time, because each has a copy of what they share.
            poems.into_iter().filter_map(move |poem| poem.record(&options)).map(Ok).chain(read.err().map(Err))
        });
        Ok(Box::new(rows))
    }

    /// The poems of an object that stands inside of `outer`.
    fn poems(&self, mut object: Record, outer: &Poem, place: &Place, out: &mut Vec<Poem>) -> Result<(), Fault> {
        let mut first = |own: &Option<String>, usual: &[&str]| match own {
            Some(name) => fields::take(&mut object, name, place),
            None => match usual.iter().find(|name| matches!(object.get(**name), Some(Value::String(_)))) {
                Some(name) => fields::take(&mut object, name, place),
                None => Ok(None),
            },
        };
        let some = |text: Option<String>, what: &str| match text.as_deref().map(str::trim) {
            Some(text) if text.len() > MAX_NAME => Err(place.wrong(format!(
                "the {what} is longer than {} KiB; name the right field with `{what}`",
                MAX_NAME >> 10
            ))),
            text => Ok(text.filter(|text| !text.is_empty()).map(Arc::from)),
        };
        let mut poem = Poem {
            title: some(first(&self.title, &TITLE)?, "title")?.or_else(|| outer.title.clone()),
            author: some(first(&self.author, &["author"])?, "author")?.or_else(|| outer.author.clone()),
            lines: Vec::new(),
        };
        let usual = || BODY.into_iter().find(|name| object.contains_key(*name));
        let Some(body) = self.body.as_deref().or_else(usual) else {
            let names = fields::names(&object);
            return Err(place.wrong(format!("no poem in {names}; name the field that holds it with `body`")));
        };
        let Some(value) = object.shift_remove(body) else {
            let names = fields::names(&object);
            return Err(
                place.wrong(format!("there is no field `{body}`, only {names}; name the right one with `body`"))
            );
        };
        self.lines(value, body, &mut poem, place, out)?;
        out.push(poem);
        Ok(())
    }

    /// The lines in a value go to `poem`, the poems in it to `out`.
    fn lines(
        &self,
        value: Value,
        field: &str,
        poem: &mut Poem,
        place: &Place,
        out: &mut Vec<Poem>,
    ) -> Result<(), Fault> {
        match value {
            Value::Null => Ok(()),
            Value::String(text) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                poem.lines.extend(lines.map(str::to_owned));
                Ok(())
            }
            Value::Array(values) => values.into_iter().try_for_each(|v| self.lines(v, field, poem, place, out)),
            Value::Object(object) => self.poems(object, poem, place, out),
            other => {
                let found = fields::kind(&other);
                Err(place.wrong(format!("the field `{field}` has {found}; expected lines, or objects that have them")))
            }
        }
    }
}

impl Poem {
    /// None if it is empty.
    fn record(self, options: &PoetryCorpus) -> Option<Record> {
        if self.lines.is_empty() {
            return None;
        }
        let form = if options.form { form::form(&self.lines) } else { None };
        let bracketed = form.map(|form| format!("［{form}］"));
        let head = match options.heading {
            Heading::None => [None, None],
            Heading::Title => [self.title.as_deref(), None],
            Heading::TitleAuthor => [self.title.as_deref(), self.author.as_deref()],
        };
        let head = bracketed.as_deref().into_iter().chain(head.into_iter().flatten());
        let lines: Vec<_> = head.chain(self.lines.iter().map(String::as_str)).collect();
        let text = lines.join(&options.line_break);
        let mut record = Record::new();
        record.extend(self.title.map(|title| ("title".to_owned(), Value::from(&*title))));
        record.extend(self.author.map(|author| ("author".to_owned(), Value::from(&*author))));
        record.extend(form.map(|form| ("form".to_owned(), Value::from(form))));
        record.insert("text".into(), text.into());
        Some(record)
    }
}

register!(dataset "poetry-corpus" => PoetryCorpus, example = r#"
path = "poems.json"
heading = "title"
"#);

#[cfg(test)]
mod tests {
    use crate::testing::{Folder, gz};
    use framework_sdk::serde_json::{Value, json};
    use std::slice::from_ref;

    fn read(name: &str, content: &str, options: &str) -> Vec<Value> {
        Folder::of(name, content).read("poetry-corpus", options).unwrap()
    }

    const POEM: &str = "云下小桥新\n风来柳自春";

    #[test]
    fn all_the_names_that_poems_have() {
        let expected = json!({"title": "题", "author": "人", "text": POEM});
        for object in [
            r#"{"title": "题", "author": "人", "paragraphs": ["云下小桥新", "风来柳自春"]}"#,
            r#"{"title": "题 ", "author": "人", "para": ["云下小桥新", " 风来柳自春"]}"#,
            r#"{"rhythmic": "题", "author": "人", "lines": "云下小桥新\n\n风来柳自春\n"}"#,
            r#"{"chapter": "题", "author": "人", "content": ["云下小桥新", ["风来柳自春"]], "id": 1}"#,
        ] {
            assert_eq!(read("p.json", object, ""), from_ref(&expected), "{object}");
            assert_eq!(read("p.json", &format!("[{object}, {{\"para\": []}}]"), ""), from_ref(&expected), "{object}");
        }
        let options = "body = \"诗\"\ntitle = \"名\"\nauthor = \"作\"";
        assert_eq!(
            read("p.jsonl", r#"{"名": "题", "作": "人", "诗": ["云下小桥新", "风来柳自春"]}"#, options),
            [expected]
        );
        assert_eq!(
            read("p.jsonl", r#"{"text": "云下小桥新\n风来柳自春"}"#, "heading = \"title\""),
            [json!({"text": POEM})]
        );
    }

    #[test]
    fn nested_poems_have_the_outer_names_unless_they_have_their_own() {
        let book = r#"{"title": "集", "author": "人", "content": [
            {"type": "五言", "content": [
                {"chapter": "一", "paragraphs": ["a"]},
                {"chapter": "二", "author": "他", "paragraphs": ["b", "c"]}
            ]},
            {"paragraphs": ["d"]}
        ]}"#;
        let expected = [
            json!({"title": "一", "author": "人", "text": "a"}),
            json!({"title": "二", "author": "他", "text": "b\nc"}),
            json!({"title": "集", "author": "人", "text": "d"}),
        ];
        assert_eq!(read("p.json", book, ""), expected);
    }

    #[test]
    fn headings_are_part_of_the_text_if_asked_for() {
        let object = r#"[{"title": "题", "author": "人", "paragraphs": ["a"]}]"#;
        let text = |options: &str| read("p.json", object, options)[0]["text"].clone();
        assert_eq!(
            (text("heading = \"title\""), text("heading = \"title-author\"")),
            (json!("题\na"), json!("题\n人\na"))
        );
    }

    #[test]
    fn a_poem_may_begin_with_its_form() {
        let object = r#"[{"title": "题", "paragraphs": ["云下小桥新，风来柳自春。", "云下小桥新，风来柳自春。"]}]"#;
        let options = "form = true\nheading = \"title\"\nline_break = \"／\"";
        let text = "［五言绝句］／题／云下小桥新，风来柳自春。／云下小桥新，风来柳自春。";
        assert_eq!(read("p.json", object, options), [json!({"title": "题", "form": "五言绝句", "text": text})]);
    }

    #[test]
    fn plain_text_by_paragraph_or_line() {
        let file = "\u{feff}《题》 人\r\n云下小桥新\r\n风来柳自春\r\n\r\n\r\na\nb\n";
        let expected = [json!({"title": "题", "author": "人", "text": POEM}), json!({"text": "a\nb"})];
        assert_eq!(read("p.txt", file, ""), expected);
        let packed = Folder::of("p.txt.gz", gz(file)).with("q.json", r#"[{"para": ["c"]}]"#);
        let texts: Vec<_> = packed.whole("poetry-corpus", "").unwrap().iter().map(|r| r["text"].clone()).collect();
        assert_eq!(texts, [POEM, "a\nb", "c"]);
        assert_eq!(read("p.txt", "a\n\nb\n", "unit = \"line\""), [json!({"text": "a"}), json!({"text": "b"})]);
    }

    /// Poems in one object share its title, however many and long they are.
    #[test]
    fn shared_titles_and_short_lines_have_bounds() {
        let poems = |title: &str, count: usize| {
            format!(
                "[{{\"title\": \"{title}\", \"para\": [{}{{\"para\": \"b\"}}]}}]",
                "{\"para\": \"a\"},".repeat(count)
            )
        };
        let read = read("p.json", &poems(&"t".repeat(4096), 10_000), "");
        assert_eq!((read.len(), read[10_000]["title"].as_str().map(str::len)), (10_001, Some(4096)));
        let error = Folder::of("p.json", poems(&"t".repeat(4097), 1)).refused_at("poetry-corpus", "p.json");
        assert!(error.starts_with("1:2: the title is longer than 4 KiB; name the right field with `title`"), "{error}");
        let error = Folder::of("p.txt", "a\n".repeat(400_000)).refused("poetry-corpus", "on_error = \"skip\"");
        assert!(error.contains("p.txt: a poem is longer than 16 MiB"), "{error}");
    }

    #[test]
    fn errors_name_what_is_there() {
        let refused = |content: &str| Folder::of("p.json", content).refused_at("poetry-corpus", "p.json");
        assert!(refused(r#"[{"title": "a", "verse": "b"}]"#).starts_with("1:2: no poem in `verse`; name the field"));
        assert!(refused(r#"[{"para": [1]}]"#).starts_with("1:2: the field `para` has a number; expected lines"));
        let error = Folder::of("p.json", r#"[{"para": "a"}]"#).refused("poetry-corpus", "body = \"verse\"");
        assert!(error.contains("1:2: there is no field `verse`, only `para`"), "{error}");
    }
}
