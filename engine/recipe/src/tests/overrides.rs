//! `--set`.

use super::{Folder, GOOD};
use crate::{Every, Schedule};
use insta::assert_snapshot;

#[test]
fn overrides_win_and_make_what_is_missing() {
    let folder = Folder::new(GOOD);
    let recipe = folder
        .load(&[
            "name=42",
            "train.schedule=cosine",
            "train.save_every=5",
            "dataset.0.limit=3",
            "dataset.1={ plugin = \"csv\", path = \"Cargo.toml\", split = \"validation\" }",
            "adapter.targets=[\"a\", \"b\"]",
            "adapter.r=2",
            "prompt.template={{ instruction }}{{ response }}",
        ])
        .unwrap();
    assert_eq!((recipe.name.as_str(), recipe.train.schedule), ("42", Schedule::Cosine));
    assert_eq!(recipe.train.save_every, Every::Steps(5));
    assert_eq!(recipe.dataset[0].limit, Some(3));
    assert_eq!(recipe.adapter.options["targets"], serde_json::json!(["a", "b"]));
    assert_eq!(recipe.prompt.template, "{{ instruction }}{{ response }}");
    // a path given on the command line starts from the working directory
    let here = std::env::current_dir().unwrap().join("Cargo.toml");
    assert_eq!(recipe.dataset[1].options["path"], here.to_str().unwrap());
}

#[test]
fn another_plugin_keeps_the_options() {
    let folder = Folder::new(&format!("{GOOD}\n[adapter]\nr = 4\n"));
    assert_snapshot!(folder.problems(&["adapter.plugin=full"]), @r"
r.toml:11:1: `adapter.r`: unknown key
    `adapter` with the plugin `full` has: plugin, init_from
");
}

#[test]
fn problems_name_the_override() {
    let folder = Folder::new(GOOD);
    let sets = [
        "train.batchsize=3",
        "train.batch_size=many",
        "train.shuffle=yes",
        "dataset.0.path=gone.csv",
        "dataset.0.columns=name",
        "validation.fraction=2",
    ];
    assert_snapshot!(folder.problems(&sets), @r#"
--set train.batchsize=3: `train.batchsize`: unknown key
    did you mean `batch_size`?
--set train.batch_size=many: `train.batch_size`: expected an integer, found the string "many"
--set train.shuffle=yes: `train.shuffle`: expected true or false, found the string "yes"
--set dataset.0.path=gone.csv: `dataset.0.path`: there is no file or folder gone.csv
    paths start from the working directory
--set dataset.0.columns=name: `dataset.0.columns`: expected a list of strings, found the string "name"
    in brackets: columns = ["name"]
--set validation.fraction=2: `validation.fraction`: must be from 0 to below 1, but is 2
"#);
}

#[test]
fn overrides_that_lead_nowhere() {
    let sets = ["train", "=3", "dataset.path=x", "dataset.7.path=x", "model.plugin.name=x", "adapter.targets=[1,"];
    assert_snapshot!(Folder::new(GOOD).problems(&sets), @r#"
--set train: expected a key and a value
    for example --set train.batch_size=4
--set =3: a key is empty
    for example --set train.batch_size=4
--set dataset.path=x: `dataset`: is a list; its elements are counted from 0
    did you mean dataset.0.path?
--set dataset.7.path=x: `dataset`: there is no element 7: there is 1 element, counted from 0
--set model.plugin.name=x: `model.plugin`: is the string "pythia", not a table
--set adapter.targets=[1,: the value is not TOML: unclosed array, expected `]`
"#);
}
