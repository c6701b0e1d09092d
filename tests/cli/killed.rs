//! A run that is killed at any moment goes on where it was and ends as if nothing had happened.

use crate::{
    setting::{FACTS, Setting, question},
    tensorboard,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs::File,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    thread::sleep,
    time::{Duration, Instant},
};

const KILLS: usize = 24;

/// Everything that has a state: order, dropout, accumulation, moments, losses that are not logged yet, the best
/// step, sampling.
const CHANGES: [(&str, &str); 6] = [
    ("targets = \"all-linear\"", "targets = \"all-linear\"\ndropout = 0.2"),
    ("max_steps = 60", "max_steps = 70\nwarmup_steps = 3\ngradient_accumulation = 2"),
    ("batch_size = 10", "batch_size = 2"),
    ("log_every = 5", "log_every = 3\neval_every = 4\nload_best = true\nkeep_checkpoints = 3"),
    ("save_every = 30", "save_every = 1"),
    ("[generate]", "[validation]\nfraction = 0.2\n\n[generate]"),
];

/// Numbers that look random and are the same in every run of the test.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// Starts or resumes a run and kills it after a while, unless it ends before.
fn attempt(setting: &Setting, output: &str, resume: bool, life: Duration) -> (ExitStatus, String) {
    let mut train = setting.framework();
    train.args(["train", "recipe.toml", "--set", &format!("output={output}")]);
    train.args(resume.then_some("--resume"));
    train.stdout(File::create(setting.path("stdout")).unwrap()).stderr(File::create(setting.path("stderr")).unwrap());
    let mut child = train.spawn().unwrap();
    sleep(life);
    let _ = child.kill();
    let status = child.wait().unwrap();
    if let Ok(page) = std::fs::read_to_string(setting.path(output).join("report.html")) {
        assert!(page.ends_with("</html>\n"), "half a page of {} bytes", page.len());
    }
    (status, setting.read("stderr"))
}

/// Metrics without what depends on the clock.
fn metrics(setting: &Setting, run: &str) -> Vec<Value> {
    let timeless = |mut line: Value| {
        line.as_object_mut().unwrap().retain(|key, _| !["tokens_per_second", "time"].contains(&key.as_str()));
        line
    };
    setting.metrics(run).into_iter().map(timeless).collect()
}

fn same_end(setting: &Setting, run: &str) {
    for file in ["adapter_model.safetensors", "adapter_config.json"] {
        let bytes = |run: &str| setting.bytes(&format!("{run}/adapter/{file}"));
        assert!(bytes(run) == bytes("undisturbed"), "{file} differs");
    }
    assert_eq!(metrics(setting, run), metrics(setting, "undisturbed"));
    tensorboard::has_every_step_once(setting, run);
    // Each session has an event file of its own, named by the time.
    let files = |run: &str| -> Vec<_> {
        setting.files(run).into_iter().filter(|file| !file.starts_with("tensorboard/")).collect()
    };
    assert_eq!(files(run), files("undisturbed"));
    assert_eq!(setting.read(&format!("{run}/samples.md")), setting.read("undisturbed/samples.md"));
}

#[test]
fn killed_runs_end_the_same() {
    survives(&Setting::with(&CHANGES), KILLS);
}

/// A run of preferences, whose reference is computed before the first step.
#[test]
fn killed_runs_of_preferences_end_the_same() {
    let rows = ("plugin = \"instruction-csv\"\npath = \"data.csv\"", "plugin = \"jsonl\"\npath = \"pairs.jsonl\"");
    let objective = ("[train]", "[objective]\nname = \"dpo\"\nsft_weight = 0.5\n\n[train]");
    let setting = Setting::with(&[&CHANGES[..], &[rows, objective]].concat());
    let pair = |i: usize| {
        let ((thing, colour), (_, wrong)) = (FACTS[i], FACTS[(i + 3) % FACTS.len()]);
        json!({ "prompt": question(thing), "chosen": colour, "rejected": wrong }).to_string() + "\n"
    };
    setting.write("pairs.jsonl", &(0..FACTS.len()).map(pair).collect::<String>());
    survives(&setting, KILLS / 3);
    assert!(setting.path("undisturbed/reference.safetensors").exists());
}

fn survives(setting: &Setting, least: usize) {
    let begun = Instant::now();
    setting.run(["train", "recipe.toml", "--set", "output=undisturbed"]).succeeded();
    let length = begun.elapsed().as_millis() as u64;
    let steps: Vec<_> =
        metrics(setting, "undisturbed").iter().filter_map(|m| m.get("loss").and(m["step"].as_u64())).collect();
    assert_eq!(steps, (1..=23).map(|i| 3 * i).chain([70]).collect::<Vec<_>>());

    let mut numbers = Numbers(20);
    let (mut kills, mut runs, mut resumed) = (0, 0, BTreeSet::new());
    while kills < least || resumed.len() < 5 {
        let run = format!("run{runs}");
        let (mut tries, mut stuck, mut last) = (0, 0, String::new());
        loop {
            // Longer where it does not get on, for a machine may be slower now than it was.
            let limit = if numbers.below(4) == 0 { length / 40 } else { length * (4 + stuck) / 16 };
            let life = Duration::from_millis(5 + numbers.below(limit));
            let (status, err) = attempt(setting, &run, setting.path(&run).join("recipe.toml").exists(), life);
            tries += 1;
            stuck += 1;
            if let Some((_, rest)) = err.split_once("going on from step ") {
                let step = rest.split_once(' ').unwrap().0.to_owned();
                stuck = if step == last { stuck } else { 0 };
                resumed.insert(step.clone());
                last = step;
            }
            match status.signal() {
                Some(9) => kills += 1,
                _ => assert!(status.success(), "{status}: {err}"),
            }
            if status.success() {
                break;
            }
            assert!(tries < 1000, "it does not get on: {err}");
        }
        // The last moments, in which only files are written.
        for _ in 0..3 {
            let life = Duration::from_millis(5 + numbers.below(length / 10));
            kills += usize::from(attempt(setting, &run, true, life).0.signal() == Some(9));
        }
        setting.run(["train", "recipe.toml", "--resume", "--set", &format!("output={run}")]).succeeded();
        same_end(setting, &run);
        assert!(!setting.path(&format!("{run}.1")).exists());
        runs += 1;
    }
    eprintln!("{kills} kills in {runs} runs of {length} ms, resumed at {resumed:?}");
}
