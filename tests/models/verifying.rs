//! `verify::resume` notices whatever a resumed run has not got back.

use crate::{
    golden::{Golden, sources},
    run::write_tokenizer,
};
use framework_engine::{
    Session,
    train::verify::{self, Report, VerifyEvent},
};
use std::{fs, path::Path};

/// Verifies four steps of LoRA on a golden model; `between` changes the checkpoint that is resumed from.
fn verified(between: &mut dyn FnMut(&Path)) -> Report {
    let (golden, dir) = (Golden::open("llama/plain"), tempfile::tempdir().unwrap());
    write_tokenizer(&dir.path().join("tokenizer"), golden.network("model", None).spec().vocab_size, "t2");
    let text: String = (3..12).map(|i| format!("t{i} t{} t{}\n\n", i + 1, i + 2)).collect();
    fs::write(dir.path().join("text.txt"), text).unwrap();
    let recipe = format!(
        "output = {:?}\nmodel = {{ plugin = \"llama\", weights = {:?} }}\ntokenizer.path = \"tokenizer\"\n\
         dataset = [{{ plugin = \"text\", path = \"text.txt\" }}]\ndata.cache = false\n\
         adapter = {{ plugin = \"lora\", r = 2, dropout = 0.1 }}\ntrain = {{ max_steps = 20, batch_size = 2 }}\n",
        dir.path().join("run"),
        golden.path("model"),
    );
    let path = dir.path().join("recipe.toml");
    fs::write(&path, recipe).unwrap();
    let session = Session::open(&path, &[], &sources()).unwrap();
    let report = verify::resume(session, 4, &|| false, &mut |event| {
        if let VerifyEvent::Interrupted(run) = event {
            between(&run.checkpoints().join("step-2"));
        }
    });
    report.unwrap().unwrap()
}

fn differing(report: &Report) -> Vec<&str> {
    report.compared.iter().filter(|part| part.difference.is_some()).map(|part| part.what.as_str()).collect()
}

/// Replaces the last numbers in a file of tensors, which are little-endian.
fn zero_the_end(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let from = bytes.len() - 16;
    assert!(bytes[from..].iter().any(|byte| *byte != 0), "they are zero already");
    bytes[from..].fill(0);
    fs::write(file, bytes).unwrap();
}

#[test]
fn what_is_not_restored_is_noticed() {
    let report = verified(&mut |_| {});
    assert!(report.equal && differing(&report).is_empty(), "{report:?}");
    assert_eq!((report.steps, report.total, report.interrupted), (4, 20, Some(2)));

    let report = verified(&mut |checkpoint| zero_the_end(&checkpoint.join("optimizer.safetensors")));
    assert!(!report.equal);
    let differing_parts = differing(&report);
    assert_eq!(differing_parts[..2], ["weights", "optimizer state"], "{report:?}");
    assert!(!differing_parts.contains(&"losses before") && !differing_parts.contains(&"data position"));
    let difference = report.compared[1].difference.clone().unwrap();
    // The tensor and the element, with both values.
    assert!(difference.at.starts_with('`') && difference.at.ends_with(']'), "{difference:?}");
    assert_ne!(difference.expected, difference.found);

    let report = verified(&mut |checkpoint| zero_the_end(&checkpoint.join("trained.safetensors")));
    assert!(differing(&report).contains(&"losses after"), "{report:?}");
}

#[test]
fn a_position_that_is_not_restored_is_noticed() {
    let report = verified(&mut |checkpoint| {
        let file = checkpoint.join("state.json");
        let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        state["seen"] = 1.into();
        state["first_loss"] = 0.0.into();
        fs::write(&file, state.to_string()).unwrap();
    });
    assert_eq!(differing(&report), ["data position", "other state"], "{report:?}");
}
