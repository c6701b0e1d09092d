use super::*;

fn sequence(length: usize) -> Sequence {
    let labels = (0..length as i32).map(|i| if i == 0 { IGNORE } else { i }).collect();
    Sequence { ids: (0..length as u32).collect(), labels }
}

fn batches(sequences: &[Sequence], batch_size: usize, accumulation: usize, order: Order) -> Batches<'_> {
    Batches { sequences, batch_size, accumulation, order, seed: 42, pad: 9 }
}

#[test]
fn sequences_are_filled_up_on_the_right() {
    let batch = Batch::new([&sequence(1), &sequence(3)], 9);
    assert_eq!((batch.rows, batch.time, batch.lengths.as_slice()), (2, 3, [1, 3].as_slice()));
    assert_eq!(batch.ids, [0, 9, 9, 0, 1, 2]);
    assert_eq!(batch.labels, [IGNORE, IGNORE, IGNORE, IGNORE, 1, 2]);
    assert_eq!(batch.supervised(), 2);
}

/// A pad that is the end token does not hide the end token that is trained.
#[test]
fn padding_is_known_by_position() {
    let end = Sequence { ids: vec![5, 9], labels: vec![IGNORE, 9] };
    let batch = Batch::new([&end, &sequence(3)], 9);
    assert_eq!(batch.labels[..3], [IGNORE, 9, IGNORE]);
}

/// transformers' Trainer: ceil(ceil(n / batch) / accumulation) steps, the last ones short.
#[test]
fn the_last_batch_and_the_last_step_may_be_short() {
    let sequences = vec![sequence(2); 21];
    let b = batches(&sequences, 4, 4, Order::Fixed);
    assert_eq!((b.batches_per_epoch(), b.steps_per_epoch()), (6, 2));
    let epoch = b.epoch(0);
    assert_eq!(epoch.steps(), 2);
    assert_eq!(epoch.step(0).len(), 4);
    assert_eq!(epoch.step(1), [vec![16, 17, 18, 19], vec![20]]);
    assert_eq!(batches(&[], 4, 4, Order::ByLength).epoch(0).steps(), 0);
}

#[test]
fn every_order_has_every_sequence_once_and_comes_again() {
    let sequences: Vec<_> = (0..103).map(|i| sequence(i * 37 % 50 + 1)).collect();
    for order in [Order::Fixed, Order::Shuffled, Order::ByLength] {
        let b = batches(&sequences, 4, 2, order);
        let epoch = b.epoch(3);
        assert_eq!(epoch, b.epoch(3));
        assert_eq!(epoch != b.epoch(4), order != Order::Fixed);
        let mut all = epoch.batches.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..103));
        assert!(epoch.batches[..25].iter().all(|batch| batch.len() == 4) && epoch.batches[25].len() == 3);
    }
}

#[test]
fn grouping_by_length_saves_padding() {
    let sequences: Vec<_> = (0..400).map(|i| sequence(i * 37 % 100 + 1)).collect();
    let padding = |order| -> usize {
        let b = batches(&sequences, 8, 1, order);
        let batches = b.epoch(0).batches;
        batches.iter().map(|n| b.batch(n)).map(|b| b.ids.len() - b.lengths.iter().sum::<usize>()).sum()
    };
    assert!(padding(Order::ByLength) * 10 < padding(Order::Shuffled));
}

/// The order of runs that have been saved must not change with a new version of anything. Expected: ChaCha8, seeded as
/// rand_core seeds it, and Durstenfeld's shuffle, written out in Python.
#[test]
fn the_order_is_pinned() {
    let sequences = vec![sequence(1); 8];
    let order = batches(&sequences, 8, 1, Order::Shuffled).epoch(0).batches.concat();
    assert_eq!(order, [1, 3, 5, 0, 7, 6, 4, 2]);
}
