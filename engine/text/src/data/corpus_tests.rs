use super::*;
use crate::{
    data::{
        DataSource, StageReport, Template,
        test::{doubling, source, source_of},
    },
    tokenizer::tests::trained,
};
use framework_recipe::Split;
use serde_json::json;

fn run(sources: &[DataSource], template: &str, max_length: usize) -> Result<Corpus> {
    let (tokenizer, augmenters) = (trained(), [doubling()]);
    let template = Template::new(template, &tokenizer)?;
    let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length, train_on_prompt: false };
    let inputs = Inputs { sources, augmenters: &augmenters, validation_fraction: 0.2, skip_bad_rows: false, seed: 1 };
    let mut last = 0;
    let corpus = load(&inputs, &encoder, &mut |done| last = done.examples)?;
    assert_eq!(last, corpus.report.train.examples + corpus.report.validation.examples);
    Ok(corpus)
}

#[test]
fn everything_is_counted() {
    // Prompts are "n\n", responses "n": 2 + 2 tokens below 10, more from there on.
    let corpus = run(&[source("a", 20, Split::Train, 1.0)], "plain", 4).unwrap();
    let DataReport { train, validation, .. } = &corpus.report;
    assert_eq!((train.records, train.examples, train.kept), (16, 32, 32));
    assert_eq!((validation.records, validation.examples), (4, 8));
    assert_eq!((corpus.train.len(), corpus.validation.len()), (32, 8));
    let all = corpus.train.iter().chain(&corpus.validation);
    assert_eq!(all.clone().filter(|s| s.labels.last() == Some(&0)).count(), 20, "ten numbers below 10, twice");
    assert_eq!(train.truncated + validation.truncated, 20);
    assert_eq!(train.end_cut + validation.end_cut, 20);
    let (tokens, supervised) =
        (train.tokens + validation.tokens, train.supervised_tokens + validation.supervised_tokens);
    assert_eq!(tokens, all.clone().map(Sequence::len).sum::<usize>());
    assert_eq!(supervised, all.map(Sequence::supervised).sum::<usize>());
    let stage = |n| vec![StageReport { name: "test-doubling".into(), records_in: n, records_out: 2 * n }];
    assert_eq!((&train.stages, &validation.stages), (&stage(16), &stage(4)));
    assert_eq!(train.lost_tokens + validation.lost_tokens, 40, "the second digit's and the end token of twenty");
    assert!(train.lengths.max > 4, "lengths are counted before the cut");
    assert!(serde_json::to_value(&corpus.report).unwrap()["datasets"][0]["split"] == "train");
}

#[test]
fn threads_do_not_change_the_order() {
    let sources = [source("a", 9000, Split::Train, 1.0)];
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let many = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    let corpus = || run(&sources, "alpaca", 200).unwrap();
    let (one, many) = (one.install(corpus), many.install(corpus));
    assert_eq!((&one.train, &one.validation, &one.report), (&many.train, &many.validation, &many.report));
}

#[test]
fn nothing_left_to_train_on_is_explained() {
    let corpus = run(&[source("a", 20, Split::Train, 1.0)], "alpaca", 10).unwrap();
    assert_eq!(corpus.report.train.dropped_unsupervised, 32);
    let e = corpus.require_training().unwrap_err();
    assert!(e.exit_code() == 2 && e.to_string().contains("max_length"), "{e}");
    let e = run(&[], "alpaca", 10).unwrap().require_training().unwrap_err();
    assert!(e.to_string().contains("0 records were read"), "{e}");
}

#[test]
fn the_first_record_that_cannot_be_rendered_is_named() {
    let sources = [source_of(json!({ "name": "a", "rows": 5 }), Split::Train, 1.0)];
    let e = run(&sources, "{{ title }}{{ output }}", 10).unwrap_err();
    assert!(e.exit_code() == 2 && e.to_string().contains("validation example 1: the record has"), "{e}");
}
