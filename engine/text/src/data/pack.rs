//! Packing: several sequences in a row, which do not see each other.

use super::Sequence;
use std::{cmp::Reverse, collections::BTreeMap};

/// A row for each sequence.
pub fn alone(sequences: &[Sequence]) -> Vec<Vec<usize>> {
    (0..sequences.len()).map(|i| vec![i]).collect()
}

/// Rows of at most `capacity` tokens, by best fit, the longest sequence first (Krell et al., 2021, arXiv:2107.02027); a
/// longer sequence has a row of its own. `together` sequences, one behind the other, stay in one row. Gives the sequences'
/// numbers; the same lengths give the same rows.
pub fn pack(sequences: &[Sequence], together: usize, capacity: usize) -> Vec<Vec<usize>> {
    let lengths: Vec<usize> = sequences.chunks(together).map(|group| group.iter().map(Sequence::len).sum()).collect();
    let each = |group: usize| group * together..(group + 1) * together;
    packed(&lengths, capacity).into_iter().map(|row| row.into_iter().flat_map(each).collect()).collect()
}

fn packed(lengths: &[usize], capacity: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| Reverse(lengths[i]));
    let mut rows: Vec<Vec<usize>> = Vec::new();
    // Rows by the space that is left in them.
    let mut open: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in order {
        let length = lengths[i];
        let fits = open.range(length..).next().map(|(&left, _)| left);
        let (row, left) = match fits.and_then(|left| Some((take(&mut open, left)?, left))) {
            Some((row, left)) => {
                rows[row].push(i);
                (row, left - length)
            }
            None => {
                rows.push(vec![i]);
                (rows.len() - 1, capacity.saturating_sub(length))
            }
        };
        if left > 0 {
            open.entry(left).or_default().push(row);
        }
    }
    rows
}

/// One of the rows that have so much space left.
fn take(open: &mut BTreeMap<usize, Vec<usize>>, left: usize) -> Option<usize> {
    let rows = open.get_mut(&left)?;
    let row = rows.pop();
    if rows.is_empty() {
        open.remove(&left);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(lengths: &[usize]) -> Vec<Sequence> {
        lengths.iter().map(|&n| Sequence { ids: vec![1; n], labels: vec![1; n] }).collect()
    }

    #[test]
    fn the_tightest_row_is_filled_first() {
        assert_eq!(pack(&sequences(&[4, 7, 6, 3, 9, 1]), 1, 10), [vec![4, 5], vec![1, 3], vec![2, 0]]);
        assert_eq!(pack(&sequences(&[12, 2, 10]), 1, 10), [vec![0], vec![2], vec![1]]);
        assert_eq!(pack(&sequences(&[2, 2, 3, 4, 1, 5]), 2, 10), [vec![2, 3], vec![4, 5, 0, 1]], "pairs stay together");
        assert!(pack(&[], 1, 10).is_empty());
        assert_eq!(alone(&sequences(&[5, 1])), [[0], [1]]);
    }

    #[test]
    fn every_sequence_is_in_one_row_and_hardly_any_space_is_left() {
        let sequences = sequences(&(0..1000).map(|i| i * 37 % 100 + 1).collect::<Vec<_>>());
        let rows = pack(&sequences, 1, 256);
        let length = |row: &Vec<usize>| row.iter().map(|&i| sequences[i].len()).sum::<usize>();
        assert!(rows.iter().all(|row| length(row) <= 256));
        let mut all = rows.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1000));
        let tokens: usize = sequences.iter().map(Sequence::len).sum();
        assert_eq!(rows.len(), tokens.div_ceil(256), "no arrangement has fewer");
    }
}
