//! Runs that do not go as planned: what is printed as a remedy works, and no file is lost.

use crate::setting::{Said, Setting, said};
use serde_json::Value;
use std::{fs, process::Command, thread::sleep, time::Duration};

/// Runs the command line that a message ends with, as a shell would.
fn follow(setting: &Setting, message: &str) -> Said {
    let line = message.lines().find_map(|line| line.split_once(": framework train ")).unwrap_or_else(|| {
        panic!("no command in {message}");
    });
    let program = setting.framework().get_program().to_owned();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("exec \"$0\" train {}", line.1)).arg(program).current_dir(setting.path("."));
    shell.env("FRAMEWORK_TOKEN_CACHE", "");
    said(&mut shell)
}

fn summary(setting: &Setting) -> Value {
    serde_json::from_str(&setting.read("runs/colours/summary.json")).unwrap()
}

/// A rate at which the first step throws the parameters out of range.
const EXPLODES: (&str, &str) = ("learning_rate = 2e-2", "learning_rate = 1e38\nweight_decay = 0.0");

#[test]
fn a_run_that_diverges_at_once_begins_anew_as_it_says() {
    let setting = Setting::with(&[EXPLODES, ("save_every = 30", "save_every = 1\nmax_grad_norm = 0.0")]);
    let err = setting.run(["train", "recipe.toml"]).failed(1);
    assert!(err.contains("There is no earlier checkpoint. To begin anew with a lower learning rate: "), "{err}");
    assert!(err.contains("--set optimizer.learning_rate=1e37"), "{err}");
    // Followed as often as it takes, each time with a tenth.
    let err = err.replace("1e37", "0.01");
    follow(&setting, &err).succeeded();
    assert!(setting.path("runs/colours.1").is_dir());
}

#[test]
fn a_run_that_diverges_later_goes_on_as_it_says() {
    let steady = ("save_every = 30", "save_every = 5\nschedule = \"constant\"\nmax_grad_norm = 0.0");
    let setting = Setting::with(&[steady, ("max_steps = 60", "max_steps = 10")]);
    setting.run(["train", "recipe.toml"]).succeeded();
    // Goes on at a rate that is too high: a resume may change it.
    let higher = ["optimizer.learning_rate=1e38", "train.max_steps=20", "train.save_every=1"];
    let mut args = vec!["train", "recipe.toml", "--resume"];
    higher.iter().for_each(|set| args.extend(["--set", set]));
    let said = setting.run(&args);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("going on with other settings: "), "{}", said.err);
    assert!(
        said.err.contains("To go on from step 10 with a lower learning rate: framework train recipe.toml --resume")
    );
    let resumed: Value = serde_json::from_str(setting.read("runs/colours/resumed.jsonl").trim()).unwrap();
    assert_eq!((&resumed["step"], &resumed["changes"]["train.max_steps"]["now"]), (&10.into(), &20.into()));
    assert_eq!(resumed["changes"]["optimizer.learning_rate"]["before"], 0.02);
    let err = said.err.replace("optimizer.learning_rate=1e37", "optimizer.learning_rate=0.01");
    let again = follow(&setting, &err).succeeded();
    assert!(again.err.contains("going on from step 10 of 20"), "{}", again.err);
    assert_eq!(summary(&setting)["steps"], 20);
    assert_eq!(setting.read("runs/colours/resumed.jsonl").lines().count(), 2);
    let log = setting.read("runs/colours/train.log");
    assert!(
        log.lines()
            .filter(|line| !line.starts_with("    "))
            .all(|line| line.as_bytes()[10] == b'T' && line[..20].ends_with('Z')),
        "{log}"
    );
    assert!(log.contains(" going on with other settings: optimizer.learning_rate = 0.01 (was 1e+38)"), "{log}");
    assert!(log.contains(" error: step 12: ") || log.contains(" error: step 11: "), "{log}");
    for line in setting.metrics("runs/colours") {
        assert!(line["time"].as_str().unwrap().ends_with('Z') && !line.to_string().contains("null"), "{line}");
    }
}

#[test]
fn numbers_beyond_f16_are_saved_in_another_format_as_it_says() {
    let large = ("save_every = 30", "save_every = \"end\"\nsave_dtype = \"f16\"\nmax_grad_norm = 0.0");
    let setting = Setting::with(&[
        ("max_steps = 60", "max_steps = 1"),
        ("learning_rate = 2e-2", "learning_rate = 1e5\nweight_decay = 0.0"),
        ("prompts = [\"What colour is coal?\"]", ""),
        large,
    ]);
    let said = setting.run(["train", "recipe.toml"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("beyond the range of float16; bf16 and f32 hold them"), "{}", said.err);
    assert!(said.err.contains("Training is complete and its last checkpoint is saved."), "{}", said.err);
    let again = follow(&setting, &said.err).succeeded();
    assert!(again.err.contains("train.save_dtype = \"bf16\" (was \"f16\")"), "{}", again.err);
    assert!(setting.path("runs/colours/adapter/adapter_model.safetensors").is_file());
}

#[test]
fn a_resume_changes_nothing_that_was_computed() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 2")]);
    let resume = |set: &[&str]| {
        let mut args = vec!["train", "recipe.toml", "--resume"];
        set.iter().for_each(|set| args.extend(["--set", set]));
        setting.run(&args)
    };
    insta::assert_snapshot!(resume(&[]).failed(2).lines().last().unwrap(), @"    Begin one: the same command without --resume. `output` and `name` say where a run is.");
    assert!(!setting.path("runs").exists());
    setting.run(["train", "recipe.toml"]).succeeded();
    let before = summary(&setting);
    insta::assert_snapshot!(resume(&["train.batch_size=5", "adapter.r=4"]).failed(2), @r"
error: --set adapter.r=4: `adapter.r`: is 8 in the run runs/colours, and now 4
    A run goes on with what it was begun with: put the value back, or train without --resume; the earlier run is then kept under another name.
--set train.batch_size=5: `train.batch_size`: is 10 in the run runs/colours, and now 5
    A run goes on with what it was begun with: put the value back, or train without --resume; the earlier run is then kept under another name.
");
    let free = ["train.log_every=1", "generate.prompts=[]", "train.keep_checkpoints=1", "train.save_dtype=\"bf16\""];
    resume(&free).succeeded();
    // Nothing was trained, and the summary is that of the training.
    for key in ["tokens", "seconds", "tokens_per_second", "first_loss", "train_loss", "steps"] {
        assert!(before[key].as_f64().unwrap() > 0.0);
        assert_eq!(summary(&setting)[key], before[key], "{key}");
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let setting = Setting::with(&[("save_every = 30", "save_every = 10"), ("max_steps = 60", "max_steps = 30")]);
    setting.run(["train", "recipe.toml"]).succeeded();
    let adapter = setting.bytes("runs/colours/adapter/adapter_model.safetensors");
    for file in ["state.json", "trained.safetensors", "optimizer.safetensors"] {
        let path = setting.path(&format!("runs/colours/checkpoints/step-30/{file}"));
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let again = setting.run(["train", "recipe.toml", "--resume"]).succeeded();
        assert!(again.err.contains("the checkpoint of step 30 is damaged and was renamed to "), "{}", again.err);
        assert!(again.err.contains("going on from step 20 of 30"), "{}", again.err);
        assert!(setting.bytes("runs/colours/adapter/adapter_model.safetensors") == adapter);
    }
    for step in [20, 30] {
        setting.write(&format!("runs/colours/checkpoints/step-{step}/state.json"), "");
    }
    let err = setting.run(["train", "recipe.toml", "--resume"]);
    assert_eq!(err.code, Some(1));
    assert!(err.err.contains("can be read; train without --resume"), "{}", err.err);
}

#[test]
fn what_is_no_run_is_not_moved() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 2")]);
    fs::create_dir(setting.path("photos")).unwrap();
    setting.write("photos/a.jpg", "");
    for command in ["train", "check"] {
        let err = setting.run([command, "recipe.toml", "--set", "output=photos"]).failed(2);
        assert_eq!(
            err,
            "error: --set output=photos: `output`: photos holds other files than a run's, and is left as it is\n    Give \
             the run a folder of its own: output = \"runs/NAME\", or --set output=runs/NAME\n"
        );
        let err = setting.run([command, "recipe.toml", "--set", "name=.."]).failed(2);
        assert_eq!(
            err,
            "error: --set name=..: `name`: \"..\" cannot be the name of a folder\n    a name has no / and no \\; \
             `output` says where a run goes\n"
        );
    }
    assert!(setting.path("photos/a.jpg").is_file() && !setting.path("runs").exists());
}

#[test]
fn check_refuses_what_train_refuses() {
    let setting = Setting::new();
    setting.write("data.csv", "instruction,input,output\n");
    let [check, train] = ["check", "train"].map(|command| setting.run([command, "recipe.toml"]).failed(2));
    assert_eq!(check, train);
    let setting = Setting::with(&[("path = \"data.csv\"", "path = \"data.csv\"\nsplit = \"validation\"")]);
    let [check, train] = ["check", "train"].map(|command| setting.run([command, "recipe.toml"]).failed(2));
    assert_eq!(check, train);
}

#[test]
fn settings_without_effect_are_named() {
    let setting =
        Setting::with(&[("log_every = 5", "log_every = 5\nwarmup_steps = 100"), ("max_steps = 60", "max_steps = 2")]);
    for command in ["check", "train"] {
        let err = setting.run([command, "recipe.toml"]).succeeded().err;
        assert!(err.contains("`train.warmup_steps` = 100: the run has 2 steps"), "{err}");
        assert!(err.contains("`train.save_every` = 30: the run has 2 steps"), "{err}");
    }
    // The remedy: a share of the steps.
    let set = ["train.warmup_steps=0", "train.warmup_ratio=0.5", "train.save_every=1", "output=other"];
    let err =
        setting.run([&["train", "recipe.toml"][..], &set.map(|s| ["--set", s]).concat()].concat()).succeeded().err;
    assert!(!err.contains("the run has"), "{err}");
    let rates: Vec<_> = setting.metrics("other").iter().map(|m| m["learning_rate"].as_f64().unwrap()).collect();
    assert_eq!(rates, [0.02]);
}

#[test]
fn the_end_is_always_evaluated() {
    let rare = ("save_every = 30", "save_every = 30\neval_every = 1000\nload_best = true");
    let setting = Setting::with(&[
        rare,
        ("max_steps = 60", "max_steps = 7"),
        ("[generate]", "[validation]\nfraction = 0.2\n\n[generate]"),
    ]);
    setting.run(["train", "recipe.toml"]).succeeded();
    let steps: Vec<_> = setting
        .metrics("runs/colours")
        .iter()
        .filter(|m| m.get("eval_loss").is_some())
        .map(|m| m["step"].clone())
        .collect();
    assert_eq!((steps, &summary(&setting)["best"][1]), (vec![Value::from(7)], &7.into()));
}

/// A run that goes on for long enough to be stopped, once it has logged a step.
#[cfg(unix)]
fn running(setting: &Setting) -> std::process::Child {
    let mut train = setting.framework();
    let err = fs::File::create(setting.path("stderr")).unwrap();
    let child = train.args(["train", "recipe.toml"]).stderr(err).stdout(std::process::Stdio::null()).spawn().unwrap();
    until(setting, "step ");
    child
}

#[cfg(unix)]
fn until(setting: &Setting, text: &str) {
    let begun = std::time::Instant::now();
    while !setting.read("stderr").contains(text) {
        assert!(begun.elapsed() < Duration::from_secs(120), "no `{text}` in {}", setting.read("stderr"));
        sleep(Duration::from_millis(10));
    }
}

#[cfg(unix)]
fn send(signal: &str, child: &std::process::Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
fn long() -> Setting {
    Setting::with(&[("save_every = 30", "save_every = \"end\""), ("max_steps = 60", "max_steps = 400")])
}

#[cfg(unix)]
#[test]
fn a_signal_saves_and_says_how_to_go_on() {
    let setting = long();
    let mut child = running(&setting);
    // A second run into the same folder does not begin.
    let second = setting.run(["train", "recipe.toml"]).failed(2);
    assert!(second.contains("another process is training into runs/colours"), "{second}");
    send("-INT", &child);
    stopped(&setting, &mut child);
}

/// As batch systems and containers end programs.
#[cfg(unix)]
#[test]
fn sigterm_saves_and_says_how_to_go_on() {
    let setting = long();
    let mut child = running(&setting);
    send("-TERM", &child);
    stopped(&setting, &mut child);
}

/// As a terminal that is closed: the signal comes from the system and from the shell.
#[cfg(target_os = "linux")]
#[test]
fn a_closed_terminal_saves_once_and_nohup_goes_on() {
    // Tests that run under nohup hand its deaf ear on.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    if u64::from_str_radix(ignored, 16).unwrap() & 1 == 0 {
        let setting = long();
        let mut child = running(&setting);
        send("-HUP", &child);
        until(&setting, "stopping after this step");
        let _ = Command::new("kill").args(["-HUP", &child.id().to_string()]).output();
        stopped(&setting, &mut child);
    }

    let setting = long();
    let mut shell = Command::new("sh");
    let err = fs::File::create(setting.path("stderr")).unwrap();
    shell.args(["-c", "trap '' HUP; exec \"$0\" train recipe.toml"]).arg(setting.framework().get_program());
    shell.current_dir(setting.path(".")).env("FRAMEWORK_TOKEN_CACHE", "").stderr(err);
    let mut child = shell.stdout(std::process::Stdio::null()).spawn().unwrap();
    until(&setting, "step ");
    send("-HUP", &child);
    let seen = setting.read("stderr").matches("step ").count();
    let begun = std::time::Instant::now();
    while setting.read("stderr").matches("step ").count() < seen + 2 {
        assert!(begun.elapsed() < Duration::from_secs(120), "{}", setting.read("stderr"));
        sleep(Duration::from_millis(10));
    }
    assert!(!setting.read("stderr").contains("stopping after"), "{}", setting.read("stderr"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(unix)]
fn stopped(setting: &Setting, child: &mut std::process::Child) {
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let err = setting.read("stderr");
    assert!(err.contains("stopping after this step"), "{err}");
    let message = err.lines().find(|line| line.starts_with("stopped after step ")).unwrap();
    let step = message.split(' ').nth(3).unwrap();
    assert!(setting.path(&format!("runs/colours/checkpoints/step-{step}")).is_dir(), "{err}");
    let again = follow(setting, message).succeeded();
    assert!(again.err.contains(&format!("going on from step {step} of 400")), "{}", again.err);
}

/// One step takes minutes: the first signal alone would not end the run before.
#[cfg(unix)]
#[test]
fn a_second_signal_ends_at_once_without_saving() {
    let setting = Setting::with(&[
        ("save_every = 30", "save_every = 1"),
        ("batch_size = 10", "batch_size = 10\ngradient_accumulation = 100000"),
        ("max_steps = 60", "max_steps = 1"),
    ]);
    let rows = crate::setting::data(0);
    let (header, rows) = rows.split_once('\n').unwrap();
    setting.write("data.csv", &format!("{header}\n{}", rows.repeat(3000)));
    for signal in ["-INT", "-TERM"] {
        let mut train = setting.framework();
        let err = fs::File::create(setting.path("stderr")).unwrap();
        train.args(["train", "recipe.toml"]).stderr(err).stdout(std::process::Stdio::null());
        let mut child = train.spawn().unwrap();
        until(&setting, "parameters");
        // The headline comes before the run waits for signals.
        sleep(Duration::from_millis(500));
        send(signal, &child);
        until(&setting, "once more ends at once, without saving");
        assert!(child.try_wait().unwrap().is_none(), "it has ended with the first: {}", setting.read("stderr"));
        let begun = std::time::Instant::now();
        send(signal, &child);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert!(!setting.read("stderr").contains("stopped after step"), "{}", setting.read("stderr"));
        let checkpoints = fs::read_dir(setting.path("runs/colours/checkpoints")).into_iter().flatten();
        assert_eq!(checkpoints.count(), 0);
    }
}

/// What the feed-forward layers give for a sequence of 37236 tokens would fill half a terabyte. The run is ended once it has
/// warned: it is not about whether the machine bears it.
#[cfg(target_os = "linux")]
#[test]
fn a_run_that_takes_more_memory_than_is_free_warns_before_it_begins() {
    let setting = Setting::with(&[
        ("weights = \"BASE\"\n", ""),
        (
            "[[dataset]]",
            "[model.config]\nvocab_size = 300\nhidden_size = 8\nnum_hidden_layers = 2\n\
          num_attention_heads = 1\nintermediate_size = 1000000\nmax_position_embeddings = 100000\n\n[tokenizer]\n\
          train = { kind = \"byte-level-bpe\", vocab_size = 300 }\n\n[[dataset]]",
        ),
        ("max_length = 64", "max_length = 100000"),
        ("plugin = \"lora\"\nr = 8\nalpha = 16\ntargets = \"all-linear\"", "plugin = \"full\""),
    ]);
    let answer = (0..99_000u32).map(|i| char::from(b'a' + (i.wrapping_mul(2_654_435_761) >> 27) as u8 % 26));
    setting.write("data.csv", &format!("instruction,input,output\nx,,{}\n", answer.collect::<String>()));
    let mut shell = Command::new("sh");
    let err = fs::File::create(setting.path("stderr")).unwrap();
    let program = setting.framework().get_program().to_owned();
    shell.arg("-c").arg("ulimit -v 8000000; exec \"$0\" train recipe.toml").arg(program);
    shell.current_dir(setting.path(".")).env("FRAMEWORK_TOKEN_CACHE", "").stderr(err);
    let mut child = shell.stdout(std::process::Stdio::null()).spawn().unwrap();
    until(&setting, "to take less: ");
    let _ = child.kill();
    child.wait().unwrap();
    let err = setting.read("stderr");
    let warning = err.lines().find(|line| line.contains("to take less")).unwrap();
    assert!(warning.contains("the run takes about ") && warning.contains(" are free"), "{warning}");
    assert!(warning.contains("train.activation_checkpointing = true"), "{warning}");
    assert!(warning.contains("prompt.max_length = "), "{warning}");
}

#[cfg(unix)]
#[test]
fn nobody_has_to_read_what_is_printed() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 20"), ("log_every = 5", "log_every = 1")]);
    let program = setting.framework().get_program().to_owned();
    for line in ["train recipe.toml", "train recipe.toml 2>&1", "check recipe.toml", "check nothing.toml 2>&1"] {
        let mut shell = Command::new("sh");
        let script = format!("{{ \"$0\" {line}; echo $? > code; }} | true");
        shell.arg("-c").arg(script).arg(&program).current_dir(setting.path(".")).env("FRAMEWORK_TOKEN_CACHE", "");
        said(&mut shell).succeeded();
        let expected = if line.contains("nothing") { "2" } else { "0" };
        assert_eq!(setting.read("code").trim(), expected, "{line}");
    }
    assert!(setting.path("runs/colours/adapter").is_dir());
}

/// What PiSSA takes off the base weights is not in a checkpoint: it is computed anew, and is the same.
#[test]
fn pissa_is_resumed_exactly() {
    let setting = Setting::with(&[
        ("targets = \"all-linear\"", "targets = \"all-linear\"\ninit_lora_weights = \"pissa\"\ndropout = 0.1"),
        ("max_steps = 60", "max_steps = 8\nschedule = \"constant\""),
        ("log_every = 5\nsave_every = 30", "log_every = 1\nsave_every = 4"),
    ]);
    let train = |args: &[&str]| setting.run([&["train", "recipe.toml", "--set"][..], args].concat()).succeeded();
    train(&["name=whole"]);
    train(&["name=half", "--set", "train.max_steps=4"]);
    train(&["name=half", "--resume"]);
    let [whole, half] =
        ["whole", "half"].map(|run| setting.bytes(&format!("runs/{run}/adapter/adapter_model.safetensors")));
    assert!(whole == half);
    assert_ne!(setting.metrics("runs/whole")[0]["loss"], setting.metrics("runs/whole").last().unwrap()["loss"]);
}
