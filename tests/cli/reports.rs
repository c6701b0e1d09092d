//! A run as a page, and several runs over each other.

use crate::setting::Setting;
use std::{env, fs, process::Command};

const CHANGES: [(&str, &str); 3] = [
    ("max_steps = 60", "max_steps = 12"),
    ("log_every = 5", "log_every = 2\neval_every = 4"),
    ("[generate]", "[validation]\nfraction = 0.2\n\n[generate]"),
];

/// Elements that load something, and scripts.
#[track_caller]
fn stands_alone(html: &str) {
    for bad in ["<script", "src=", "<iframe", "@import", "url("] {
        assert!(!html.contains(bad), "{bad}");
    }
    let links: Vec<_> = html.split("<link").skip(1).collect();
    assert!(links.iter().all(|link| link.starts_with(" rel=\"icon\" href=\"data:,\">")), "{links:?}");
    assert!(html.ends_with("</main></body></html>\n"));
}

/// Set `FRAMEWORK_BROWSER` to Chromium, and it opens a page: nothing is wrong with it, and it loads nothing.
pub fn opens(setting: &Setting, page: &str) {
    let Some(browser) = env::var_os("FRAMEWORK_BROWSER") else { return };
    let (log, profile) = (setting.path("net.json"), setting.path("profile"));
    let mut open = Command::new(browser);
    open.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]);
    open.args(["--disable-component-update", "--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom"]);
    open.arg(format!("--user-data-dir={}", profile.display())).arg(format!("--log-net-log={}", log.display()));
    let output = open.arg(format!("file://{}", setting.path(page).display())).output().unwrap();
    let [dom, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(dom.contains("</main>"), "{dom} {err}");
    assert!(!err.contains("CONSOLE"), "{err}");
    let log = fs::read_to_string(log).unwrap();
    // What the browser asks its maker is not the page's.
    let own = ["google.com", "gvt1.com", "googleapis.com"];
    let asked = log.split("\"url\":\"http").skip(1).map(|rest| rest.split('"').next().unwrap());
    let asked: Vec<_> = asked.filter(|url| !own.iter().any(|host| url.contains(host))).collect();
    assert_eq!(asked, [""; 0]);
    assert!(log.contains("URL_REQUEST"), "no log of the network");
}

#[test]
fn a_run_is_a_page() {
    let setting = Setting::with(&CHANGES);
    let prompts = "generate.prompts=[\"What colour is coal?\", \"<script>x</script>\"]";
    setting.run(["train", "recipe.toml", "--set", prompts]).succeeded();
    let html = setting.read("runs/colours/report.html");
    stands_alone(&html);
    opens(&setting, "runs/colours/report.html");
    for part in [
        "<h1>colours</h1><p>finished after 12 steps",
        "aria-label=\"Loss\"",
        ">training</text>",
        ">validation</text>",
        ">nats per token</text>",
        "aria-label=\"Throughput\"",
        "aria-label=\"Lengths of examples\"",
        ">% of the examples</text>",
        "<h3>What colour is coal?</h3>",
        "<h4>step 4</h4>",
        "<h4>step 12</h4>",
        "<th>supervised tokens</th>",
        "<th>memory</th>",
        "<th>threads</th>",
        "[model]\nplugin = &quot;pythia&quot;",
        "origin = &quot;built in&quot;",
    ] {
        assert!(html.contains(part), "no {part}");
    }
    let files = setting.files("runs/colours/plots");
    assert_eq!(
        files,
        [
            "example-lengths.svg",
            "grad-norm.svg",
            "learning-rate.svg",
            "loss.svg",
            "perplexity.svg",
            "shares.svg",
            "throughput.svg"
        ]
    );
    let svg = setting.read("runs/colours/plots/loss.svg");
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.contains("<style>"), "{svg}");

    // Anew, and the same.
    fs::remove_file(setting.path("runs/colours/report.html")).unwrap();
    let said = setting.run(["report", "runs/colours"]).succeeded();
    assert_eq!(said.out, "wrote runs/colours/report.html\n");
    assert_eq!(setting.read("runs/colours/report.html"), html);
}

/// As a run leaves it that is killed before its end, or whose metrics have half a line.
#[test]
fn a_run_under_way_is_a_page_too() {
    let setting = Setting::with(&CHANGES);
    setting.run(["train", "recipe.toml"]).succeeded();
    let run = "runs/colours";
    fs::remove_file(setting.path("runs/colours/summary.json")).unwrap();
    let metrics = setting.read("runs/colours/metrics.jsonl");
    setting.write("runs/colours/metrics.jsonl", &metrics[..metrics.len() - 30]);
    setting.run(["report", run]).succeeded();
    let html = setting.read("runs/colours/report.html");
    assert!(html.contains("<p>at step 12 of 12, "), "{html}");
    for file in ["metrics.jsonl", "samples.md", "facts.json", "lock.toml"] {
        fs::remove_file(setting.path(&format!("{run}/{file}"))).unwrap();
        setting.run(["report", run]).succeeded();
        stands_alone(&setting.read("runs/colours/report.html"));
    }
    assert!(setting.read("runs/colours/report.html").contains("<p>no step is done yet</p>"));
}

#[test]
fn several_runs_lie_over_each_other() {
    let setting = Setting::with(&CHANGES);
    for (name, r) in [("four", "4"), ("eight", "8")] {
        let set = [format!("name={name}"), format!("adapter.r={r}")];
        setting.run(["train", "recipe.toml", "--set", &set[0], "--set", &set[1]]).succeeded();
    }
    let wrong = setting.run(["report", "runs/four", "runs/eight"]).failed(2);
    assert!(wrong.contains("--to FILE.html"), "{wrong}");
    setting.run(["report", "runs/four", "runs/eight", "--to", "both.html"]).succeeded();
    let html = setting.read("both.html");
    stands_alone(&html);
    opens(&setting, "both.html");
    assert!(html.contains("<tr><th>adapter.r</th><td>4</td><td>8</td></tr>"), "{html}");
    assert!(html.contains("<h4>four, step 12</h4>") && html.contains("<h4>eight, step 12</h4>"));
    let loss = html.split("aria-label=\"Validation loss\"").nth(1).unwrap().split("</svg>").next().unwrap();
    assert!(loss.contains("line c0") && loss.contains("line c1") && loss.contains(">eight</text>"), "{loss}");
    assert!(!html.contains("<th>output</th>") && !html.contains("<th>name</th>"));
}

#[test]
fn a_recipe_turns_the_page_off() {
    let setting = Setting::with(&CHANGES);
    setting.run(["train", "recipe.toml", "--set", "report.html=false"]).succeeded();
    assert!(!setting.path("runs/colours/report.html").exists() && !setting.path("runs/colours/plots").exists());
    let err = setting.run(["report", "nothing"]).failed(2);
    assert!(err.contains("there is no run's folder nothing"), "{err}");
}
