use super::{
    super::{IGNORE, alone, pack},
    *,
};

fn sequence(length: usize) -> Sequence {
    let labels = (0..length as i32).map(|i| if i == 0 { IGNORE } else { i }).collect();
    Sequence { ids: (0..length as u32).collect(), labels }
}

fn batches(sequences: &[Sequence], batch_size: usize, accumulation: usize, order: Order) -> Batches<'_> {
    Batches {
        sequences,
        weights: &[],
        rows: alone(sequences),
        together: 1,
        batch_size,
        accumulation,
        order,
        seed: 42,
        pad: 9,
    }
}

#[test]
fn sequences_are_filled_up_on_the_right() {
    let batch = Batch::new([&sequence(1), &sequence(3)], 9);
    assert_eq!((batch.rows, batch.time, batch.segments.as_slice()), (2, 3, [vec![1], vec![3]].as_slice()));
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

/// The first token of a sequence is not predicted from the one before it, which is another's.
#[test]
fn sequences_share_a_row() {
    let whole = |n: u32| Sequence { ids: (0..n).collect(), labels: (0..n as i32).collect() };
    let (two, three) = (whole(2), whole(3));
    let batch = Batch::packed([vec![&three, &two], vec![&two]], 9);
    assert_eq!((batch.rows, batch.time, batch.tokens()), (2, 5, 7));
    assert_eq!(batch.segments, [vec![3, 2], vec![2]]);
    assert_eq!(batch.ids, [0, 1, 2, 0, 1, 0, 1, 9, 9, 9]);
    assert_eq!(batch.labels, [IGNORE, 1, 2, IGNORE, 1, IGNORE, 1, IGNORE, IGNORE, IGNORE]);
    assert_eq!(batch.supervised(), 4);
}

#[test]
fn grouping_by_length_saves_padding_and_packing_more() {
    let sequences: Vec<_> = (0..400).map(|i| sequence(i * 37 % 100 + 1)).collect();
    let shuffled = batches(&sequences, 8, 1, Order::Shuffled);
    let packed = Batches { rows: pack(&sequences, 1, 200), ..shuffled.clone() };
    let by_length = Batches { order: Order::ByLength, ..shuffled.clone() };
    let counted = |b: &Batches| -> (usize, usize) {
        let all: Vec<_> = b.epoch(0).batches.iter().map(|n| b.batch(n)).collect();
        let of = |f: fn(&Batch) -> usize| all.iter().map(f).sum();
        (of(|b| b.ids.len() - b.tokens()), of(|b| b.ids.len()))
    };
    for b in [&shuffled, &by_length, &packed] {
        assert_eq!(b.padding(), counted(b));
    }
    assert!(by_length.padding().0 * 10 < shuffled.padding().0);
    assert!(packed.padding().0 * 2 < by_length.padding().0, "{:?}, {:?}", packed.padding(), by_length.padding());
    assert_eq!(packed.longest(), 200);
}

/// The order of runs that have been saved must not change with a new version of anything. Expected: ChaCha8, seeded as
/// rand_core seeds it, and Durstenfeld's shuffle, written out in Python.
#[test]
fn the_order_is_pinned() {
    let sequences = vec![sequence(1); 8];
    let order = batches(&sequences, 8, 1, Order::Shuffled).epoch(0).batches.concat();
    assert_eq!(order, [1, 3, 5, 0, 7, 6, 4, 2]);
}
