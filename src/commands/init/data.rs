//! A recipe for a data file and a model: `init --data FILE --model MODEL`.

use framework_core::{Kind, PluginError, Record};
use framework_engine::{
    Error, Problem, Result,
    hub::{self, Id, Use},
    json,
};
use framework_registry::Registry;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Names that columns have, by what they hold; the first that a file has is taken.
const TASK: [&str; 10] = ["instruction", "question", "prompt", "query", "task", "user", "q", "问题", "指令", "提问"];
const ANSWER: [&str; 11] =
    ["output", "answer", "response", "completion", "reply", "target", "assistant", "a", "答案", "回答", "输出"];
const CONTEXT: [&str; 4] = ["input", "context", "passage", "上下文"];
const TALK: [&str; 4] = ["messages", "conversations", "conversation", "dialogue"];
const TEXT: [&str; 5] = ["text", "content", "body", "document", "文本"];

/// A name that no column has.
const NONE: &str = "\u{1}";

/// What of a file becomes records.
enum Content {
    Instructions { task: String, answer: String, context: Option<String> },
    Talk(String),
    Text(String),
    Poems,
}

/// A `[[dataset]]` table.
pub struct Dataset {
    plugin: &'static str,
    options: Map<String, Value>,
    content: Content,
    /// The file's columns or fields.
    columns: Vec<String>,
}

/// Columns that the command line names.
#[derive(Default)]
pub struct Named {
    pub instruction: Option<String>,
    pub output: Option<String>,
}

/// How a file is read, by its name without what packs it.
fn format(file: &Path) -> Option<&'static str> {
    let name = file.file_name()?.to_str()?.to_lowercase();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let plugin = match name.rsplit_once('.')?.1 {
        "csv" | "tsv" => "instruction-csv",
        "json" | "jsonl" | "ndjson" => "jsonl",
        "parquet" => "parquet",
        "xlsx" => "qa-xlsx",
        "txt" | "md" => "text",
        _ => return None,
    };
    Some(plugin)
}

/// Finds out which dataset reads a file, and which of its columns.
pub fn dataset(file: &Path, named: &Named, registry: &Registry) -> Result<Dataset> {
    let about = |message: String| Problem::new(message).key("--data");
    if !file.is_file() {
        return Err(Error::invalid(about(format!("there is no file {}", file.display()))));
    }
    let Some(plugin) = format(file) else {
        let message = format!("{}: the file's name does not tell its format", file.display());
        let help =
            "Known are .csv, .tsv, .json, .jsonl, .ndjson, .parquet, .xlsx and .txt, and .gz and .zst behind them.";
        return Err(Error::invalid(about(message).help(help)));
    };
    if plugin == "text" {
        return Ok(Dataset { plugin, options: Map::new(), content: Content::Text("text".into()), columns: Vec::new() });
    }
    let (columns, delimiter) = columns(file, plugin, registry).map_err(|e| Error::invalid(about(e.to_string())))?;
    let Some(content) = content(&columns, named) else {
        let list: Vec<_> = columns.iter().map(|column| format!("`{column}`")).collect();
        let message = format!("{}: which columns hold task and answer? There are {}", file.display(), list.join(", "));
        return Err(Error::invalid(about(message).help("Name them: --instruction COLUMN --output COLUMN.")));
    };
    if matches!(&content, Content::Instructions { task, .. } if plugin == "instruction-csv" && task == "input") {
        let message =
            format!("{}: the column `input` holds the task, and `instruction-csv` reads it beside one", file.display());
        return Err(Error::invalid(about(message).help("Call the column `instruction` in the file's first line.")));
    }
    let dataset = Dataset { columns, ..Dataset::new(plugin, content, delimiter) };
    let mut options = dataset.options.clone();
    options.insert("path".into(), json!(file));
    // What the plugin says of the options and of the first row is said now.
    first(registry, dataset.plugin, options).map_err(|e| Error::invalid(about(e.to_string())))?;
    Ok(dataset)
}

/// The first record that a plugin reads.
fn first(registry: &Registry, plugin: &str, options: Map<String, Value>) -> Result<Option<Record>, PluginError> {
    let entry = registry.find(Kind::Dataset, plugin).map_err(|unknown| PluginError::new(unknown.to_string()))?;
    entry.dataset(&options.into())?.open(&Default::default())?.next().transpose()
}

/// The columns of a file, and the delimiter between them if it has one.
fn columns(file: &Path, plugin: &str, registry: &Registry) -> Result<(Vec<String>, Option<char>), PluginError> {
    let options = |more: Value| {
        let mut options = more.as_object().cloned().unwrap_or_default();
        options.insert("path".into(), json!(file));
        options
    };
    match plugin {
        "instruction-csv" => {
            let mut best = (Vec::new(), ',');
            for delimiter in [',', '\t', ';', '|'] {
                let tried = options(json!({ "instruction": NONE, "delimiter": delimiter }));
                let found = listed(first(registry, plugin, tried))?;
                if found.len() > best.0.len() {
                    best = (found, delimiter);
                }
            }
            Ok((best.0, Some(best.1).filter(|delimiter| *delimiter != ',')))
        }
        "qa-xlsx" => Ok((listed(first(registry, plugin, options(json!({ "question": NONE }))))?, None)),
        _ => {
            let record = first(registry, plugin, options(json!({})))?;
            Ok((record.map(|record| record.keys().cloned().collect()).unwrap_or_default(), None))
        }
    }
}

/// The columns that a plugin lists when it does not find one.
fn listed(found: Result<Option<Record>, PluginError>) -> Result<Vec<String>, PluginError> {
    let Err(e) = found else { return Ok(Vec::new()) };
    if e.known.is_empty() { Err(e) } else { Ok(e.known.into_vec()) }
}

/// What the columns hold, by their names.
fn content(columns: &[String], named: &Named) -> Option<Content> {
    let find = |names: &[&str]| {
        names.iter().find_map(|name| columns.iter().find(|column| column.trim().to_lowercase() == *name)).cloned()
    };
    let (task, answer) =
        (named.instruction.clone().or_else(|| find(&TASK)), named.output.clone().or_else(|| find(&ANSWER)));
    if named.instruction.is_none()
        && let Some(talk) = find(&TALK)
    {
        return Some(Content::Talk(talk));
    }
    if columns.iter().any(|column| column == "paragraphs") && find(&ANSWER).is_none() {
        return Some(Content::Poems);
    }
    let context = find(&CONTEXT);
    match (task, answer, context) {
        (Some(task), Some(answer), context) => {
            let context = context.filter(|context| *context != task && *context != answer);
            Some(Content::Instructions { task, answer, context })
        }
        // `input` and `output` alone: the input is the task.
        (None, Some(answer), Some(task)) => Some(Content::Instructions { task, answer, context: None }),
        _ => find(&TEXT).map(Content::Text),
    }
}

impl Dataset {
    fn new(plugin: &'static str, content: Content, delimiter: Option<char>) -> Self {
        let mut options = Map::new();
        let mut plugin = plugin;
        let mut set = |key: &str, value: &str, usual: &str| {
            if value != usual {
                options.insert(key.into(), value.into());
            }
        };
        match (&content, plugin) {
            (Content::Instructions { task, answer, context }, "qa-xlsx") => {
                set("question", task, "question");
                set("answer", answer, "answer");
                context.iter().for_each(|context| set("context", context, ""));
            }
            (Content::Instructions { task, answer, context }, _) => {
                // Where the task is called `input`, `instruction-json` would read it twice.
                plugin = if plugin == "jsonl" && task != "input" { "instruction-json" } else { plugin };
                if ["parquet", "jsonl"].contains(&plugin) {
                    let mut columns = json!({ "instruction": task, "output": answer });
                    context.iter().for_each(|context| columns["input"] = context.as_str().into());
                    options.insert("columns".into(), columns);
                } else {
                    set("instruction", task, "instruction");
                    set("output", answer, "output");
                    context.iter().for_each(|context| set("input", context, "input"));
                }
            }
            (Content::Talk(field), "jsonl") => {
                plugin = "instruction-json";
                if !["messages", "conversations"].contains(&field.as_str()) {
                    set("conversation", field, "");
                }
            }
            (Content::Talk(field), _) if field != "messages" => {
                options.insert("columns".into(), json!({ "messages": field }));
            }
            (Content::Poems, "jsonl") => plugin = "poetry-corpus",
            (Content::Text(field), "jsonl") => {
                plugin = "text";
                set("field", field, "text");
            }
            (Content::Text(field), "parquet") if field != "text" => {
                options.insert("columns".into(), json!({ "text": field }));
            }
            _ => {}
        }
        if let Some(delimiter) = delimiter {
            options.insert("delimiter".into(), delimiter.to_string().into());
        }
        Self { plugin, options, content, columns: Vec::new() }
    }
}

/// What a recipe says of a model.
pub struct Model {
    plugin: String,
    weights: String,
    /// The tokenizer has a chat template of its own.
    chats: bool,
    positions: Option<u64>,
}

/// Reads a model's configuration.
pub fn model(model: &Path, registry: &Registry) -> Result<Model> {
    let about = |message: String| Problem::new(message).key("--model");
    let named = model.to_str().unwrap_or_default();
    let folder = match Id::parse(named.strip_prefix("hf://").unwrap_or(named)).filter(|_| !model.is_dir()) {
        Some(id) => hub::resolve(&id, Use::Model).map_err(|e| e.about("--model"))?,
        None => model.to_owned(),
    };
    let path = folder.join("config.json");
    if !path.is_file() {
        let help = "Give a Hugging Face model folder, or an id on the hub: owner/name.";
        return Err(Error::invalid(about(format!("there is no {}", path.display())).help(help)));
    }
    let bytes = std::fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
    let config: Value =
        json::from_slice(&bytes).map_err(|e| Error::invalid(about(format!("{}: {e}", path.display()))))?;
    let kind = config["model_type"].as_str().unwrap_or_default();
    let entry = registry
        .by_alias(Kind::Model, kind)
        .map_err(|unknown| Error::invalid(about(format!("{}: model_type `{kind}`: {unknown}", path.display()))))?;
    let tokenizer = std::fs::read_to_string(folder.join("tokenizer_config.json")).unwrap_or_default();
    let chats = folder.join("chat_template.jinja").is_file() || tokenizer.contains("\"chat_template\"");
    let positions = ["max_position_embeddings", "n_positions"].iter().find_map(|key| config[*key].as_u64());
    Ok(Model { plugin: entry.about.name.clone(), weights: named.to_owned(), chats, positions })
}

/// The recipe for both, whose folder is `folder`.
pub fn recipe(name: &str, data: &Path, dataset: &Dataset, model: &Model, folder: &Path) -> String {
    let quoted = |text: &str| toml_string(text);
    let weights = match Path::new(&model.weights).exists() {
        true => seen_from(folder, Path::new(&model.weights)).display().to_string(),
        false => model.weights.clone(),
    };
    let mut table = format!(
        "plugin = {}\npath = {}\n",
        quoted(dataset.plugin),
        quoted(&seen_from(folder, data).display().to_string())
    );
    for (key, value) in &dataset.options {
        let value = match value {
            Value::Object(columns) => {
                let columns: Vec<_> = columns
                    .iter()
                    .map(|(key, v)| format!("{key} = {}", quoted(v.as_str().unwrap_or_default())))
                    .collect();
                format!("{{ {} }}", columns.join(", "))
            }
            other => quoted(other.as_str().unwrap_or_default()),
        };
        table += &format!("{key} = {value}\n");
    }
    if !dataset.columns.is_empty() {
        table += &format!("# the file has: {}\n", dataset.columns.join(", ").replace(['\n', '\r'], " "));
    }
    let template = match (&dataset.content, model.chats) {
        (Content::Text(_) | Content::Poems, _) => None,
        (_, true) => Some(("chat", "the model's own")),
        (Content::Talk(_), false) => Some(("zephyr", "the model has no chat template of its own")),
        (Content::Instructions { .. }, false) => Some(("alpaca", "the model has no chat template of its own")),
    };
    let template = template.map_or(String::new(), |(name, why)| format!("template = {:<29}# {why}\n", quoted(name)));
    let length = model.positions.map_or(512, |most| most.min(512));
    include_str!("../recipes/data.toml")
        .replace("%NAME%", &name.replace(['"', '\\'], "-"))
        .replace("%MODEL%", &quoted(&model.plugin))
        .replace("%WEIGHTS%", &quoted(&weights))
        .replace("%DATASET%\n", &table)
        .replace("%TEMPLATE%\n", &template)
        .replace("%LENGTH%", &format!("{length:<27}"))
}

/// A path as it is named from a folder.
fn seen_from(folder: &Path, path: &Path) -> PathBuf {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (folder, path) = (absolute(folder), absolute(path));
    path.strip_prefix(&folder).map_or(path.clone(), Path::to_owned)
}

/// JSON's strings are TOML's.
fn toml_string(text: &str) -> String {
    Value::from(text).to_string()
}
