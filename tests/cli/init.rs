//! Recipes to begin with: printed, with data and a base model, and for one's own data.

use crate::setting::{Setting, base, recipes};
use serde_json::json;
use std::fs;

#[test]
fn printed_recipes_say_what_to_fill_in() {
    let setting = Setting::new();
    for (name, keys) in [("lora", &["model.weights", "dataset.0.path"][..]), ("scratch", &["dataset.0.path"])] {
        let said = setting.run(["init", "--like", name]).succeeded();
        assert!(said.out.starts_with('#') && said.err.contains("FILL IN"), "{} {}", said.out, said.err);
        setting.write("mine.toml", &said.out);
        let err = setting.run(["check", "mine.toml"]).failed(2);
        let problems: Vec<_> = err.lines().filter(|line| line.contains("mine.toml:")).collect();
        assert_eq!(problems.len(), keys.len(), "{err}");
        for (problem, key) in problems.iter().zip(keys) {
            assert!(problem.contains(&format!("`{key}`: there is no file or folder FILL IN: ")), "{problem}");
        }
    }
    // Filled in, it is sound.
    let text = setting.run(["init"]).succeeded().out;
    let text = text.replace("FILL IN: a model folder, or an id on the hub such as EleutherAI/pythia-160m", "BASE");
    let text = text.replace("FILL IN: your table.csv", "data.csv").replace("BASE", &base().display().to_string());
    setting.write("filled.toml", &text);
    // The base reads 120 characters, which the prompts of `alpaca` alone fill.
    let short =
        ["--set", "prompt.max_length=120", "--set", "prompt.template=plain", "--set", "validation.fraction=0.2"];
    setting.run([&["check", "filled.toml"], &short[..]].concat()).succeeded();
    // Written instead of printed.
    setting.run(["init", "--like", "lora", "new/lora.toml"]).succeeded();
    assert_eq!(setting.read("new/lora.toml"), setting.run(["init"]).succeeded().out);
}

#[test]
fn what_there_is_to_begin_with() {
    let setting = Setting::new();
    insta::assert_snapshot!(setting.run(["init", "--list"]).succeeded().out, @r"
with data and a base model, to run at once: framework init --like NAME DIR
  quickstart  LoRA on questions and answers (CSV), one to three minutes on 2 cores
  chat        LoRA on conversations (JSON lines), a template that keeps the turns
  poems       a small model and its tokenizer from scratch, on Chinese poems
  continue    continued pretraining on running text
  full        full fine-tuning on questions and answers: every parameter is trained
printed, with values to fill in: framework init --like NAME
  lora        LoRA on a table of instructions and answers
  scratch     a small model and its tokenizer from scratch, on a text
for your own data: framework init --data FILE --model MODEL
");
    insta::assert_snapshot!(setting.run(["init", "--like", "nothing"]).failed(2), @r"error: `--like`: there is no recipe `nothing` to begin with; there are: quickstart, chat, poems, continue, full, lora, scratch");
    insta::assert_snapshot!(setting.run(["init", "--like", "chat"]).failed(2), @r"
error: `--like`: `chat` comes with data, and needs a folder to be written into
    framework init --like chat DIR
");
    insta::assert_snapshot!(setting.run(["init", "folder"]).failed(2), @r"
error: what is to be written into folder?
    Say --like NAME (`framework init --list` lists the names) or --data FILE --model MODEL.
");
}

/// With nothing but the program, in an empty folder.
#[test]
fn each_sample_is_checked_trained_and_answers() {
    for (name, files) in [("quickstart", 7), ("chat", 7), ("poems", 2), ("continue", 7), ("full", 7)] {
        let (folder, file) = (tempfile::tempdir().unwrap(), format!("mine/{name}.toml"));
        let run = |args: &[&str]| crate::setting::said(crate::setting::framework(folder.path()).args(args)).succeeded();
        let out = run(&["init", "--like", name, "mine"]).out;
        assert!(out.starts_with(&format!("wrote {files} files into mine: {name}.toml, data/")), "{out}");
        assert!(out.ends_with(&format!("\nnext: framework train mine/{name}.toml\n")), "{out}");
        let recipe = fs::read_to_string(folder.path().join(&file)).unwrap();
        assert!(recipe.starts_with(&format!("#   framework train {file}\n")), "{recipe}");
        assert!(!recipe.contains("recipes/"), "{recipe}");

        let checked = run(&["check", &file]);
        assert!(checked.err.is_empty(), "{name}: {}", checked.err);
        run(&["preview", &file, "-n", "1"]);
        let few = ["train", &file, "--set", "train.max_steps=2", "--set", "generate.max_new_tokens=8"];
        let trained = run(&few);
        assert!(trained.out.contains(" in 2 steps") && !trained.err.contains("warning"), "{}", trained.err);
        let answer = run(&["generate", &format!("runs/{name}"), "New employees", "--format", "json"]);
        assert!(answer.out.contains("\"token_ids\": ["), "{}", answer.out);
    }
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let setting = Setting::new();
    setting.run(["init", "--like", "poems", "mine"]).succeeded();
    setting.write("mine/data/poems_sample.json", "[]");
    fs::remove_file(setting.path("mine/poems.toml")).unwrap();
    insta::assert_snapshot!(setting.run(["init", "--like", "poems", "mine"]).failed(2), @r"
error: `--like`: mine/data/poems_sample.json is there already; nothing was written
    Name a folder that does not exist, or one without these files.
");
    assert_eq!(
        (setting.read("mine/data/poems_sample.json").as_str(), setting.path("mine/poems.toml").exists()),
        ("[]", false)
    );
    let model = base().display().to_string();
    let err = setting.run(["init", "--data", "data.csv", "--model", &model, "recipe.toml"]).failed(2);
    assert!(err.contains("recipe.toml is there already"), "{err}");
}

/// The table of a recipe for a file, and what `check` says of it: it reads the data.
fn table(setting: &Setting, file: &str, more: &[&str]) -> String {
    let model = recipes().join("quickstart-base").display().to_string();
    let _ = fs::remove_file(setting.path("new.toml"));
    setting.run([&["init", "--data", file, "--model", &model, "new.toml"], more].concat()).succeeded();
    let checked = setting.run(["check", "new.toml", "--set", "validation.fraction=0", "--format", "json"]).json();
    assert!(checked["data"]["train"]["kept"].as_u64() > Some(0), "{file}: {}", checked["data"]);
    let recipe = setting.read("new.toml");
    let from = recipe.find("[[dataset]]\n").unwrap() + "[[dataset]]\n".len();
    let until = recipe.find("max_length").unwrap();
    recipe[from..until].lines().filter(|line| !line.is_empty() && *line != "[prompt]").collect::<Vec<_>>().join("\n")
}

#[test]
fn columns_are_read_from_the_file() {
    let setting = Setting::new();
    let csv = |name: &str, text: &str| setting.write(name, text);
    let model = recipes().join("quickstart-base").display().to_string();
    assert_eq!(
        table(&setting, "data.csv", &[]),
        "plugin = \"instruction-csv\"\npath = \"data.csv\"\n# the file has: instruction, input, output\ntemplate = \"alpaca\"                     # the model has no chat template of its own"
    );
    let kept = |file: &str, more: &[&str]| {
        table(&setting, file, more)
            .lines()
            .filter(|l| !l.starts_with("path") && !l.starts_with('#') && !l.starts_with("template"))
            .collect::<Vec<_>>()
            .join("; ")
    };
    csv("qa.csv", "id;Question;Answer\n1;Who?;Me.\n2;What?;That.\n");
    assert_eq!(
        kept("qa.csv", &[]),
        "plugin = \"instruction-csv\"; instruction = \"Question\"; output = \"Answer\"; delimiter = \";\""
    );
    csv("tab.tsv", "prompt\tcontext\tcompletion\nWho?\there\tMe.\nWhat?\tthere\tThat.\n");
    assert_eq!(
        kept("tab.tsv", &[]),
        "plugin = \"instruction-csv\"; instruction = \"prompt\"; output = \"completion\"; input = \"context\"; delimiter = \"\\t\""
    );
    csv("odd.csv", "left,right\nWho?,Me.\nWhat?,That.\n");
    insta::assert_snapshot!(setting.run(["init", "--data", "odd.csv", "--model", &model]).failed(2), @r"
error: `--data`: odd.csv: which columns hold task and answer? There are `left`, `right`
    Name them: --instruction COLUMN --output COLUMN.
");
    assert_eq!(
        kept("odd.csv", &["--instruction", "left", "--output", "right"]),
        "plugin = \"instruction-csv\"; instruction = \"left\"; output = \"right\""
    );
    csv("io.jsonl", "{\"input\": \"Who?\", \"output\": \"Me.\"}\n{\"input\": \"What?\", \"output\": \"That.\"}\n");
    assert_eq!(kept("io.jsonl", &[]), "plugin = \"jsonl\"; columns = { instruction = \"input\", output = \"output\" }");
    csv("io.csv", "input,output\nWho?,Me.\n");
    insta::assert_snapshot!(setting.run(["init", "--data", "io.csv", "--model", &model]).failed(2), @r"
error: `--data`: io.csv: the column `input` holds the task, and `instruction-csv` reads it beside one
    Call the column `instruction` in the file's first line.
");
    let talk =
        json!([{ "messages": [{ "role": "user", "content": "Who?" }, { "role": "assistant", "content": "Me." }] }]);
    csv("talk.json", &talk.to_string());
    assert_eq!(kept("talk.json", &[]), "plugin = \"instruction-json\"");
    assert!(table(&setting, "talk.json", &[]).contains("template = \"zephyr\""));
    csv("texts.jsonl", "{\"content\": \"Once upon a time there was a rose.\"}\n");
    assert_eq!(kept("texts.jsonl", &[]), "plugin = \"text\"; field = \"content\"");
    fs::copy(recipes().join("data/poems_sample.json"), setting.path("poems.json")).unwrap();
    assert_eq!(kept("poems.json", &[]), "plugin = \"poetry-corpus\"");
    csv("text.txt", "Once upon a time there was a rose.\n");
    assert_eq!(table(&setting, "text.txt", &[]), "plugin = \"text\"\npath = \"text.txt\"");
    fs::copy(recipes().join("data/qa_sample.xlsx"), setting.path("qa.xlsx")).unwrap();
    assert_eq!(kept("qa.xlsx", &[]), "plugin = \"qa-xlsx\"; question = \"Question\"; answer = \"Answer\"");
    setting.run(["prepare", "recipe.toml", "--to", "rows.parquet"]).succeeded();
    let columns = "columns = { instruction = \"instruction\", output = \"output\", input = \"input\" }";
    assert_eq!(kept("rows.parquet", &[]), format!("plugin = \"parquet\"; {columns}"));

    insta::assert_snapshot!(setting.run(["init", "--data", "none.csv", "--model", "none"]).failed(2), @r"
error: `--data`: there is no file none.csv
`--model`: there is no none/config.json
    Give a Hugging Face model folder, or an id on the hub: owner/name.
");
    csv("data.bin", "x");
    insta::assert_snapshot!(setting.run(["init", "--data", "data.bin", "--model", &model]).failed(2), @r"
error: `--data`: data.bin: the file's name does not tell its format
    Known are .csv, .tsv, .json, .jsonl, .ndjson, .parquet, .xlsx and .txt, and .gz and .zst behind them.
");
}
