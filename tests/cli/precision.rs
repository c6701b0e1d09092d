//! Number formats of the computation and of frozen weights: the same curve, the same bytes after a resume, and what is said.

use crate::setting::{Setting, said};

/// Every step's loss of a run of the setting's recipe.
fn curve(setting: &Setting, name: &str, more: &[&str]) -> Vec<f64> {
    let output = format!("output=runs/{name}");
    let mut args = vec!["train", "recipe.toml", "--set", &output];
    args.extend(
        ["train.max_steps=100", "train.log_every=1", "optimizer.learning_rate=5e-3"].iter().flat_map(|s| ["--set", s]),
    );
    args.extend(more.iter().flat_map(|s| ["--set", *s]));
    setting.run(args).succeeded();
    setting.metrics(&format!("runs/{name}")).iter().filter_map(|row| row["loss"].as_f64()).collect()
}

/// Within 2 %, of half a nat where the loss is less than that; with two parts of 16 bits within a thousandth.
#[test]
fn narrower_precision_follows_the_curve_of_32_bits() {
    let setting = Setting::new();
    let exact = curve(&setting, "f32", &[]);
    assert_eq!(exact.len(), 100);
    for precision in ["bf16", "f16"] {
        let found = curve(&setting, precision, &[&format!("backend.precision={precision:?}")]);
        assert_ne!(found, exact, "{precision}: frozen weights have 16 bits");
        for (step, (a, b)) in found.iter().zip(&exact).enumerate() {
            assert!((a - b).abs() <= 0.02 * b.max(0.5), "{precision}, step {}: {a}, not {b}", step + 1);
        }
    }
    let found = curve(&setting, "high", &["backend.precision=\"high\""]);
    for (step, (a, b)) in found.iter().zip(&exact).enumerate() {
        assert!((a - b).abs() <= 1e-3 * b.max(0.5), "high, step {}: {a}, not {b}", step + 1);
    }
}

/// From a checkpoint in the middle to the same bytes, however weights are kept and products computed.
#[test]
fn resumes_are_exact_in_every_format() {
    let setting = Setting::new();
    let formats = [
        "frozen=\"nf4\"",
        "frozen=\"int8\"",
        "frozen=\"stored\"",
        "precision=\"high\"",
        "precision=\"bf16\"",
        "precision=\"f16\"",
    ];
    for (i, format) in formats.into_iter().enumerate() {
        let (output, format) = (format!("output=runs/{i}"), format!("backend.{format}"));
        let args = |more: &[&'static str]| {
            let set = ["train.max_steps=8", "train.save_every=4", "adapter.dropout=0.1", &output, &format];
            let set = set.iter().flat_map(|s| ["--set".to_owned(), (*s).to_owned()]);
            let words = ["train", "recipe.toml"].iter().chain(more).map(|s| (*s).to_owned());
            words.chain(set).collect::<Vec<_>>()
        };
        let run = |more: &[&'static str]| setting.run(args(more).iter().map(String::as_str).collect::<Vec<_>>());
        run(&[]).succeeded();
        let read = || setting.bytes(&format!("runs/{i}/adapter/adapter_model.safetensors"));
        let whole = read();
        std::fs::remove_dir_all(setting.path(&format!("runs/{i}/checkpoints/step-8"))).unwrap();
        let resumed = run(&["--resume"]).succeeded();
        assert!(resumed.err.contains("going on from step 4 of 8"), "{}", resumed.err);
        assert!(read() == whole, "{format}: the resumed run has other bytes");
    }
}

#[test]
fn the_plan_says_what_a_precision_comes_to() {
    let setting = Setting::new();
    let check = |more: &[&str]| {
        let set = more.iter().flat_map(|s| ["--set", *s]);
        setting.run(["check", "recipe.toml"].into_iter().chain(set).collect::<Vec<_>>()).succeeded()
    };
    let plain = check(&[]);
    assert!(!plain.out.contains("precision"), "{}", plain.out);
    let half = check(&["backend.precision=\"f16\""]);
    assert!(half.out.contains("precision    f16 for weights that are not trained, which take half"), "{}", half.out);
    for more in [&["backend.frozen=\"nf4\""], &["adapter={plugin=\"full\"}"]] {
        let idle = check(&["backend.precision=\"f16\"", more[0]]);
        assert!(
            idle.err.contains("`backend.precision` has no effect: this device computes in 32 bits"),
            "{}",
            idle.err
        );
    }
    let args = ["check", "recipe.toml", "--set", "backend.precision=\"high\""];
    let without = said(setting.framework().args(args).env("FRAMEWORK_CPU", "avx512")).succeeded();
    assert!(without.out.contains("precision    f32: `high` is for processors with AMX"), "{}", without.out);
    assert!(without.err.contains("`backend.precision` has no effect"), "{}", without.err);
    let refused = setting.run(["check", "recipe.toml", "--set", "backend.precision=\"tf32\""]).failed(2);
    assert!(refused.contains("tensor cores") && refused.contains("precision = \"f32\""), "{refused}");
}

/// One thread or more, the bytes are the same, in narrower products, too, where the processor has such.
#[test]
fn threads_make_no_difference() {
    let setting = Setting::new();
    for precision in ["f32", "high", "bf16"] {
        let [one, three] = ["1", "3"].map(|threads| {
            let run = format!("runs/{precision}-{threads}");
            let set = [format!("output={run}"), format!("backend.precision={precision:?}"), "train.max_steps=4".into()];
            let args = ["train", "recipe.toml"].into_iter().chain(set.iter().flat_map(|s| ["--set", s]));
            said(setting.framework().args(args).env("RAYON_NUM_THREADS", threads)).succeeded();
            setting.bytes(&format!("{run}/adapter/adapter_model.safetensors"))
        });
        assert!(one == three, "{precision}");
    }
}

/// With narrower vector instructions than the processor has.
#[test]
fn levels_of_vector_instructions_agree_to_some_digits() {
    let setting = Setting::new();
    let losses = |name: &str, key: &str, value: &str| {
        let output = format!("output=runs/{name}");
        let args =
            ["train", "recipe.toml", "--set", &output, "--set", "train.max_steps=10", "--set", "train.log_every=1"];
        said(setting.framework().args(args).env(key, value)).succeeded();
        setting.metrics(&format!("runs/{name}")).iter().filter_map(|row| row["loss"].as_f64()).collect::<Vec<_>>()
    };
    let widest = losses("widest", "FRAMEWORK_CPU", "");
    for level in ["portable", "avx2", "avx512"] {
        let found = losses(level, "FRAMEWORK_CPU", level);
        assert!(found.iter().zip(&widest).all(|(a, b)| (a - b).abs() < 1e-4), "{level}: {found:?}, not {widest:?}");
    }
}
