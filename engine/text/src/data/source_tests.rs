use super::*;
use crate::data::{
    random::{Purpose, choose, stream},
    test::{doubling, source, source_of, stage},
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn inputs<'a>(sources: &'a [DataSource], augmenters: &'a [Stage], fraction: f64) -> Inputs<'a> {
    Inputs { sources, augmenters, validation_fraction: fraction, skip_bad_rows: false, seed: 42 }
}

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|r| r["row"].as_str().unwrap()).collect()
}

#[test]
fn datasets_follow_one_another_up_to_their_limits() {
    let mut sources = [source("a", 3, Split::Train, 1.0), source("b", 2, Split::Validation, 1.0)];
    sources[0].limit = Some(2);
    let sets = records(&inputs(&sources, &[], 0.0)).unwrap();
    assert_eq!((ids(&sets.train), ids(&sets.validation)), (vec!["a0", "a1"], vec!["b0", "b1"]));
    assert_eq!((sets.datasets[0].rows, sets.datasets[0].trained, sets.datasets[1].trained), (2, 2, 0));
}

#[test]
fn what_is_held_back_is_never_trained_on_not_even_as_a_copy() {
    let sources = [source("a", 80, Split::Train, 2.5), source("b", 20, Split::Train, 1.0)];
    let augmenters = [doubling()];
    let sets = records(&inputs(&sources, &augmenters, 0.1)).unwrap();
    let (train, validation): (BTreeSet<_>, BTreeSet<_>) =
        (ids(&sets.train).into_iter().collect(), ids(&sets.validation).into_iter().collect());
    assert_eq!((validation.len(), sets.validation.len()), (10, 20), "each once, then doubled");
    assert_eq!(train.len(), 90);
    assert!(train.is_disjoint(&validation));
    assert_eq!(sets.datasets.iter().map(|d| d.held_back).sum::<usize>(), 10);
}

#[test]
fn a_weight_is_how_often_a_record_comes_on_average() {
    let count = |weight| {
        let sources = [source("a", 40, Split::Train, weight)];
        let sets = records(&inputs(&sources, &[], 0.0)).unwrap();
        let mut counts = BTreeMap::new();
        ids(&sets.train).into_iter().for_each(|id| *counts.entry(id.to_owned()).or_insert(0) += 1);
        counts.into_values().collect::<Vec<i32>>()
    };
    assert_eq!(count(1.0), vec![1; 40]);
    assert_eq!(count(0.25), vec![1; 10]);
    let often = count(2.5);
    assert_eq!((often.len(), often.iter().sum::<i32>()), (40, 100));
    assert!(often.iter().all(|n| [2, 3].contains(n)));
    assert_eq!(count(0.0), Vec::<i32>::new());
}

#[test]
fn the_same_seed_gives_the_same_and_another_gives_another() {
    let sources = [source("a", 50, Split::Train, 0.5)];
    let augmenters = [doubling(), doubling()];
    let run = |seed| {
        let sets = records(&Inputs { seed, ..inputs(&sources, &augmenters, 0.2) }).unwrap();
        (sets.train, sets.validation)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
    let seeds: BTreeSet<_> = run(1).0.iter().filter_map(|r| r.get("seed")?.as_u64()).collect();
    assert_eq!(seeds.len(), 2, "each augmenter has a seed of its own");
}

#[test]
fn errors_in_the_data_are_the_users_and_panics_the_plugins() {
    let failing = |options| {
        let sources = [source("a", 1, Split::Train, 1.0), source_of(options, Split::Train, 1.0)];
        records(&inputs(&sources, &[], 0.0)).unwrap_err()
    };
    let e = failing(json!({ "name": "b", "rows": 9, "fails_at": 4 }));
    assert_eq!(e.exit_code(), 2);
    assert_eq!(e.to_string(), "`dataset.1`: test-counting: data.csv:5: 3 fields, expected 2");

    framework_core::ffi::install_panic_hook();
    let e = failing(json!({ "name": "b", "rows": 9, "panics": true }));
    assert!(e.exit_code() == 1 && e.to_string().contains("panicked at"), "{e}");

    let e = records(&inputs(&[source("a", 1, Split::Train, f64::NAN)], &[], 0.0)).unwrap_err();
    assert!(e.to_string().contains("`dataset.0.weight`"), "{e}");
}

/// The same choices, made with all rows at hand.
fn chosen_at_once(rows: &[(&str, usize, f64)], fraction: f64, seed: u64) -> (Vec<String>, Vec<String>) {
    let all: Vec<_> =
        rows.iter().enumerate().flat_map(|(i, (name, n, _))| (0..*n).map(move |r| (i, format!("{name}{r}")))).collect();
    let share = (all.len() as f64 * fraction).round() as usize;
    let out = choose(all.len(), share.min(all.len() - 1), &mut stream(seed, Purpose::Validation));
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    for (i, (_, _, weight)) in rows.iter().enumerate() {
        let of_this = |row: &usize| all[*row].0 == i;
        validation.extend(out.iter().copied().filter(of_this).map(|row| all[row].1.clone()));
        let kept: Vec<_> =
            (0..all.len()).filter(of_this).filter(|row| !out.contains(row)).map(|row| all[row].1.clone()).collect();
        (0..weight.floor() as usize).for_each(|_| train.extend(kept.clone()));
        let rest = (kept.len() as f64 * weight.fract()).round() as usize;
        let more = choose(kept.len(), rest, &mut stream(seed, Purpose::Mixture(i)));
        train.extend(more.into_iter().map(|row| kept[row].clone()));
    }
    (train, validation)
}

#[test]
fn a_stream_makes_the_choices_that_are_made_with_all_rows_at_hand() {
    for (seed, fraction) in [(1, 0.0), (2, 0.1), (3, 0.5), (4, 0.99)] {
        for weights in [[1.0, 1.0], [2.5, 0.3], [0.7, 3.0]] {
            let rows = [("a", 37, weights[0]), ("b", 11, weights[1])];
            let sources = rows.map(|(name, n, weight)| source(name, n, Split::Train, weight));
            let sets = records(&Inputs { seed, ..inputs(&sources, &[], fraction) }).unwrap();
            let expected = chosen_at_once(&rows, fraction, seed);
            assert_eq!(ids(&sets.train), expected.0, "{seed} {weights:?}");
            assert_eq!(ids(&sets.validation), expected.1, "{seed} {weights:?}");
            for (report, (_, n, _)) in sets.datasets.iter().zip(rows) {
                assert_eq!(report.rows, n);
            }
            let sum = |of: fn(&DatasetReport) -> usize| sets.datasets.iter().map(of).sum::<usize>();
            assert_eq!((sum(|d| d.trained), sum(|d| d.held_back)), (sets.train.len(), sets.validation.len()));
        }
    }
}

#[test]
fn what_is_wrong_with_a_dataset_is_told_as_it_was_behind_augmenters_too() {
    let sources = [
        source("a", 9, Split::Train, 1.0),
        source_of(json!({ "name": "b", "rows": 900, "fails_at": 700 }), Split::Train, 1.0),
    ];
    let augmenters = [doubling(), doubling()];
    for fraction in [0.0, 0.1] {
        let e = records(&inputs(&sources, &augmenters, fraction)).unwrap_err();
        assert_eq!(e.exit_code(), 2);
        assert_eq!(e.to_string(), "`dataset.1`: test-counting: data.csv:701: 3 fields, expected 2");
    }
}

#[test]
fn nothing_is_read_that_nobody_asks_for() {
    let sources = [source_of(json!({ "name": "a", "rows": 5000, "fails_at": 4000 }), Split::Train, 1.0)];
    let all = inputs(&sources, &[], 0.0);
    let reading = Reading::new(&all).unwrap();
    let first: Vec<_> = reading.flow(Split::Train).unwrap().take(3).collect::<Result<_>>().unwrap();
    assert_eq!(ids(&first), ["a0", "a1", "a2"]);
    assert!(reading.datasets()[0].rows < 4000);
}

#[test]
fn strings_come_one_after_the_other_until_something_is_wrong() {
    let texts = |options| {
        let sources = [source_of(options, Split::Train, 1.0)];
        with_texts(&inputs(&sources, &[doubling()], 0.0), |texts| Ok(texts.collect::<Vec<_>>()))
    };
    assert_eq!(texts(json!({ "name": "a", "rows": 2 })).unwrap(), ["a0", "a0", "a1", "a1"]);
    assert_eq!(texts(json!({ "name": "a", "rows": 9, "fails_at": 5 })).unwrap_err().exit_code(), 2);
}

/// Every number comes twice in `a`, and those below 20 in `b` too, under the same names.
fn repeated() -> [DataSource; 2] {
    let of = |rows, of| source_of(json!({ "name": "a", "rows": rows, "of": of }), Split::Train, 1.0);
    [of(80, 40), of(20, 20)]
}

#[test]
fn equal_rows_are_on_one_side_whatever_comes_after_the_split() {
    let sources = repeated();
    for stages in [vec![], vec![stage("test-first")], vec![doubling(), stage("test-first")], vec![doubling()]] {
        for seed in 0..20 {
            let sets = records(&Inputs { seed, ..inputs(&sources, &stages, 0.3) }).unwrap();
            let of = |records| ids(records).into_iter().collect::<BTreeSet<_>>();
            let (train, validation) = (of(&sets.train), of(&sets.validation));
            assert!(train.is_disjoint(&validation));
            assert_eq!(train.len() + validation.len(), 40, "nothing is lost");
            assert_eq!(sets.datasets.iter().map(|d| d.held_back).sum::<usize>(), 30, "30 % of 100 rows");
            if stages.iter().any(|stage| stage.keeps_first) {
                assert_eq!(sets.train.len() + sets.validation.len(), 40);
            }
        }
    }
}

#[test]
fn rows_of_a_validation_dataset_are_not_trained_nor_are_copies_of_them() {
    let sources = [source("a", 30, Split::Train, 2.0), source("a", 10, Split::Validation, 1.0)];
    for stages in [vec![], vec![doubling()], vec![stage("test-first")]] {
        let copies = 1 + usize::from(stages.iter().any(|stage| !stage.keeps_first));
        let sets = records(&inputs(&sources, &stages, 0.0)).unwrap();
        assert_eq!((sets.train.len(), sets.validation.len()), (2 * 20 * copies, 10 * copies));
        let report = &sets.datasets[0];
        assert_eq!((report.rows, report.in_validation, report.trained), (30, 10, 40));
    }
}

/// Near duplicates are no equal rows: only the augmenter finds them.
#[test]
fn an_augmenter_that_compares_sees_validation_first() {
    let first = stage("test-first");
    let like = |split| source_of(json!({ "name": "a", "rows": 20 }), split, 1.0);
    let mut sources = [like(Split::Train), like(Split::Train)];
    sources[1].dataset = source_of(json!({ "name": "a", "rows": 5, "text": true }), Split::Validation, 1.0).dataset;
    sources[1].split = Split::Validation;
    let stages = [doubling(), first];
    let all = inputs(&sources, &stages, 0.0);
    let reading = Reading::new(&all).unwrap();
    let mut train = reading.flow(Split::Train).unwrap();
    let rows: Vec<_> = train.by_ref().collect::<Result<_>>().unwrap();
    assert_eq!((rows.len(), ids(&rows)[0]), (15, "a5"));
    let stages = reading.stages(&train);
    assert_eq!((stages[0].records_in, stages[1].records_in, stages[1].records_out), (20, 40, 15));
    assert_eq!(reading.datasets()[0].in_validation, 0);
}

#[test]
fn a_weight_is_no_duplicate() {
    let mut sources = repeated();
    sources[1].weight = 2.5;
    let stages = [stage("test-first")];
    let sets = records(&inputs(&sources, &stages, 0.0)).unwrap();
    let mut counts = BTreeMap::new();
    ids(&sets.train).into_iter().for_each(|id| *counts.entry(id).or_insert(0) += 1);
    let of = |n| counts.values().filter(|count| **count == n).count();
    // 20 rows are only in `a`; of the others, which are in both, half come thrice.
    assert_eq!((counts.len(), of(1), of(2), of(3)), (40, 20, 10, 10));
    let whole = records(&inputs(&sources, &[], 0.0)).unwrap();
    assert_eq!(whole.train.len(), 80 + 50);
}

#[test]
fn what_becomes_equal_on_its_way_is_evaluated_only() {
    let sources = [source("a", 30, Split::Train, 1.0)];
    let stages = [stage("test-levelling")];
    let sets = records(&inputs(&sources, &stages, 0.1)).unwrap();
    assert_eq!((sets.train.len(), sets.validation.len()), (0, 3));
}
