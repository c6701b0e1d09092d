//! What `framework export` makes of runs: folders that are read here and by transformers, with the loss of the run.

use crate::{
    golden::{Golden, plugins, repository, sources},
    run::{COURSE, Trained, adapter, examples_loss, train},
};
use framework_engine::{
    executor::Device,
    export::{Exported, Options, export},
    from_folders,
    recipe::SaveDtype,
    weights::{Dtype, ModelFolder},
};
use std::{env, path::Path, process::Command};

/// Tables of recipes, and whether the run is exported merged.
fn runs(golden: &Golden) -> [(String, bool); 3] {
    [
        (adapter(golden, "lora"), true),
        ("[adapter]\nplugin = \"lora\"\ntargets = \"all-linear\"\nbias = \"all\"\n".to_owned(), true),
        ("[adapter]\nplugin = \"full\"\n".to_owned(), false),
    ]
}

fn trained(golden: &Golden, tables: &str) -> Trained {
    let course = COURSE.replace("epochs = 2", "max_steps = 3");
    train(golden, &format!("{tables}\n[optimizer]\nplugin = \"adamw\"\nlearning_rate = 1e-2\n{course}"))
}

fn loss(golden: &Golden, model: &Path, adapter: Option<&Path>) -> f64 {
    examples_loss(golden, &from_folders(&plugins(), model, adapter, Device::cpu()).unwrap())
}

fn write(run: &Trained, to: &Path, options: &Options) -> Exported {
    export(run.folder.root(), to, options, &sources()).unwrap()
}

/// Set `FRAMEWORK_PYTHON` to a Python with what tests/reference/requirements.txt lists, and transformers reads them,
/// too.
fn read_by_transformers(golden: &Golden, model: &Path, dtype: &str, expected: f64, tolerance: &str) {
    let Some(python) = env::var_os("FRAMEWORK_PYTHON") else { return };
    let mut check = Command::new(&python);
    check.arg(repository().join("tests/reference/check_model.py")).arg("--model").arg(model);
    check.arg("--examples").arg(golden.path("train.json"));
    check.args(["--dtype", dtype, "--tolerance", tolerance, "--expect-loss", &expected.to_string()]);
    let output = check.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    println!("{}: here {expected}, transformers {}", golden.case, said[0].trim());
    assert!(output.status.success(), "{}", said.concat());
}

#[test]
fn whole_models_have_the_loss_of_the_run() {
    Golden::each(|golden| {
        for (tables, merge) in runs(golden) {
            let run = trained(golden, &tables);
            let end = examples_loss(golden, &run.prepared.network);
            assert_ne!(end, loss(golden, &golden.path("model"), None), "nothing was trained");
            let dir = tempfile::tempdir().unwrap();
            let to = dir.path().join("new/model");
            assert_eq!(write(&run, &to, &Options { merge, ..Options::default() }), Exported::Model);
            let found = loss(golden, &to, None);
            println!("{} {tables:?}: {end} in the run, {found} in the folder", golden.case);
            assert!((found - end).abs() < 1e-5, "{found} {end}");
            read_by_transformers(golden, &to, "float32", end, "1e-4");

            // In 16 bits, in several files.
            let to = dir.path().join("small");
            write(&run, &to, &Options { merge, dtype: Some(SaveDtype::Bf16), shard: 4_000 });
            let folder = ModelFolder::open(&to).unwrap();
            assert!(folder.files().count() > 1 && folder.names().all(|n| folder.info(n).unwrap().dtype == Dtype::BF16));
            let rounded = loss(golden, &to, None);
            assert!((rounded - end).abs() < 0.05 && rounded != found, "{rounded} {end}");
            read_by_transformers(golden, &to, "bfloat16", rounded, "1e-4");
        }
    });
}

#[test]
fn adapters_have_the_loss_of_the_run() {
    let golden = Golden::open("gpt_neox/parallel");
    let run = trained(&golden, &adapter(&golden, "lora"));
    let end = examples_loss(&golden, &run.prepared.network);
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("adapter");
    assert_eq!(write(&run, &to, &Options::default()), Exported::Adapter);
    assert_eq!(loss(&golden, &golden.path("model"), Some(&to)), end);
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let [ours, theirs] = [run.folder.adapter(), to.clone()].map(|dir| std::fs::read(dir.join(file)).unwrap());
        assert!(ours == theirs, "{file}");
    }
    let half = dir.path().join("half");
    write(&run, &half, &Options { dtype: Some(SaveDtype::F16), ..Options::default() });
    assert!((loss(&golden, &golden.path("model"), Some(&half)) - end).abs() < 1e-2);
}
