//! `framework doctor`: what is fine, and each thing that is not with its remedy.

use crate::{
    plugins::library,
    server::Server,
    setting::{Said, Setting, said},
};
use serde_json::Value;
use std::{fs, process::Command};

/// The command with a hub and caches of its own.
fn doctor(setting: &Setting) -> Command {
    let mut command = setting.framework();
    command.arg("doctor").env("HF_HOME", setting.path("hf")).env("FRAMEWORK_TOKEN_CACHE", setting.path("tokens"));
    for name in
        ["HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "FRAMEWORK_CPU", "HTTPS_PROXY", "HTTP_PROXY"]
    {
        command.env_remove(name);
    }
    command.env("HF_HUB_OFFLINE", "1");
    command
}

fn json(command: &mut Command) -> (Option<i32>, Value) {
    let Said { code, out, err } = said(command.args(["--format", "json"]));
    (code, serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}")))
}

/// Severities and messages.
fn findings(report: &Value) -> Vec<(&str, &str)> {
    let all = report["findings"].as_array().unwrap().iter();
    all.map(|one| (one["severity"].as_str().unwrap(), one["message"].as_str().unwrap())).collect()
}

#[test]
fn a_sound_machine_is_described() {
    let setting = Setting::new();
    let text = said(&mut doctor(&setting)).succeeded().out;
    for part in [
        "\nprocessor    ",
        "\nkernels      norms, softmax, activations, sums, optimizers: ",
        "\nmemory       ",
        "\nbackends     cpu: ",
        "\nfolders      output: ",
        "\n             token cache: ",
        "\n             hub cache: ",
        " linked in\n",
        "\nhub          https://huggingface.co: not asked: HF_HUB_OFFLINE is set; no token is set\n",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let (_, report) = json(&mut doctor(&setting));
    assert!(report["linked_plugins"].as_u64() > Some(40) && report["threads"].as_u64() > Some(0), "{report}");
    assert_eq!(report["processor"]["kernels"].as_array().unwrap().len(), 5);
    assert_eq!(report["hub"]["reach"], "offline");
    assert!(findings(&report).iter().all(|(severity, _)| *severity == "warning"), "{report}");
    // Nothing is made by looking.
    assert_eq!(setting.files("."), ["data.csv", "recipe.toml"]);
    let limited = said(doctor(&setting).env("FRAMEWORK_CPU", "portable")).succeeded().out;
    assert!(limited.contains(" (FRAMEWORK_CPU=portable)\n"), "{limited}");
}

#[test]
fn what_every_run_needs_is_a_problem() {
    let setting = Setting::new();
    setting.write("file", "");
    setting.write("not-a-library.so", "no");
    let mut command = doctor(&setting);
    command.args(["--output", "file/runs"]).arg("--plugin").arg(setting.path("not-a-library.so"));
    command.env("HF_ENDPOINT", "ftp://example.org");
    let (code, report) = json(&mut command);
    assert_eq!(code, Some(1), "{report}");
    let broken: Vec<_> = findings(&report).into_iter().filter(|(severity, _)| *severity == "broken").collect();
    assert_eq!(broken.len(), 3, "{report}");
    for part in ["not-a-library.so: ", "file: it is not a folder", "HF_ENDPOINT is ftp://example.org"] {
        assert!(broken.iter().any(|(_, message)| message.contains(part)), "no {part} in {broken:?}");
    }
    let mut command = doctor(&setting);
    let text = said(command.args(["--output", "file/runs"]).env("FRAMEWORK_CPU", "avx3"));
    assert_eq!((text.code, text.err.as_str()), (Some(1), ""));
    for part in [
        "\nproblem      nothing can be written into the folder for the output, ",
        "\n             Change its owner or permissions, or set `output` in the recipe.\n",
        "\nwarning      FRAMEWORK_CPU is `avx3`, which means nothing",
        "\nruns do not work until the problems are solved\n",
    ] {
        assert!(text.out.contains(part), "no {part:?} in\n{}", text.out);
    }
}

#[test]
fn plugin_folders_are_looked_into() {
    let setting = Setting::new();
    let folder = setting.path("plugins");
    fs::create_dir(&folder).unwrap();
    let library = library("good");
    fs::copy(&library, folder.join(library.file_name().unwrap())).unwrap();
    let (code, report) = json(doctor(&setting).env("FRAMEWORK_PLUGIN_PATH", &folder));
    assert_eq!(code, Some(0), "{report}");
    let places = report["plugin_places"].as_array().unwrap();
    assert_eq!(places[0]["named_by"], "FRAMEWORK_PLUGIN_PATH");
    assert!(places[0]["plugins"].as_array().unwrap().contains(&"dataset `counting`".into()), "{report}");
    assert_eq!((&places[1]["exists"], &places[1]["error"]), (&false.into(), &Value::Null));
    // The same plugins twice: each can be loaded, and no command works.
    let (code, report) = json(doctor(&setting).env("FRAMEWORK_PLUGIN_PATH", &folder).arg("--plugin").arg(&library));
    assert_eq!(code, Some(1), "{report}");
    assert!(findings(&report)[0].1.contains("dataset `counting` is there twice"), "{report}");
}

#[test]
fn the_hub_is_asked_without_a_token() {
    let (setting, hub) = (Setting::new(), Server::start());
    let ask = |endpoint: &str| {
        let mut command = doctor(&setting);
        command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", endpoint).env("HF_TOKEN", "hf_secret");
        let Said { code, out, err } = said(command.args(["--format", "json", "--timeout", "1"]));
        assert!(!out.contains("hf_secret") && !err.contains("hf_secret"));
        assert_eq!(code, Some(0), "{out}{err}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let report = ask(&hub.endpoint);
    assert!(report["hub"]["reach"]["answers"].is_u64() && report["hub"]["token"] == true, "{report}");
    assert!(!format!("{:?}", hub.asked()).contains("hf_secret"));
    // Nobody listens there.
    let report = ask("http://127.0.0.1:9");
    assert!(report["hub"]["reach"]["fails"].is_string(), "{report}");
    assert!(findings(&report).iter().any(|(_, message)| message.starts_with("cannot reach http://127.0.0.1:9: ")));
}
