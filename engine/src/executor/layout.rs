//! Where the tokens of a pass lie: rows, what the cache has of them, padding, and sequences that share a row.

/// Rows of tokens, after those that a cache may hold.
pub(super) struct Layout {
    pub rows: usize,
    /// Tokens per row in this pass.
    pub time: usize,
    /// Tokens per row in the cache before it.
    offset: usize,
    /// Padding in front of each row.
    starts: Vec<usize>,
    /// Lengths of the sequences in each row, one behind the other; the rest is padding. Empty if each row is one.
    segments: Vec<Vec<usize>>,
}

impl Layout {
    pub fn new(rows: usize, time: usize, segments: Vec<Vec<usize>>) -> Self {
        Self { rows, time, offset: 0, starts: vec![0; rows], segments }
    }

    /// Behind what a cache holds: so many tokens per row, with this much padding in front.
    pub fn cached(rows: usize, time: usize, offset: usize, starts: Vec<usize>) -> Self {
        Self { rows, time, offset, starts, segments: Vec::new() }
    }

    /// Tokens per row, with those in the cache.
    pub fn all(&self) -> usize {
        self.offset + self.time
    }

    /// The position `[rows, time]` of each token in its sequence; padding behind the sequences is at 0.
    pub fn positions(&self) -> Vec<i32> {
        let of_row = |row: usize| -> Vec<i32> {
            if let Some(lengths) = self.segments.get(row) {
                let mut positions: Vec<i32> = lengths.iter().flat_map(|&n| 0..n as i32).collect();
                positions.resize(self.time, 0);
                return positions;
            }
            let at = |i: usize| (self.offset + i).saturating_sub(self.starts[row]) as i32;
            (0..self.time).map(at).collect()
        };
        (0..self.rows).flat_map(of_row).collect()
    }

    /// The length of the longest sequence.
    pub fn longest(&self) -> usize {
        match self.segments.iter().flatten().max() {
            Some(&longest) => longest,
            None => self.all().saturating_sub(self.starts.iter().copied().min().unwrap_or(0)),
        }
    }

    /// Tokens of a row that are not padding behind its sequences.
    pub fn filled(&self, row: usize) -> usize {
        self.segments.get(row).map_or(self.time, |lengths| lengths.iter().sum())
    }

    /// For each query the first key that it may see: where its sequence begins. One row if all are alike.
    pub fn first_seen(&self) -> Vec<Vec<usize>> {
        let packed = self.segments.iter().any(|lengths| lengths.len() > 1);
        if !packed && self.starts.iter().all(|&start| start == 0) {
            return vec![vec![0; self.time]];
        }
        let of_row = |row: usize| -> Vec<usize> {
            let Some(lengths) = self.segments.get(row).filter(|_| packed) else {
                return vec![self.starts[row]; self.time];
            };
            let mut first = Vec::with_capacity(self.time);
            for length in lengths {
                first.resize(first.len() + length, first.len());
            }
            first.resize(self.time, first.len());
            first
        };
        (0..self.rows).map(of_row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_that_share_a_row_begin_anew() {
        let layout = Layout::new(2, 6, vec![vec![3, 2], vec![4]]);
        assert_eq!(layout.positions(), [0, 1, 2, 0, 1, 0, 0, 1, 2, 3, 0, 0]);
        assert_eq!((layout.longest(), layout.filled(0), layout.filled(1)), (4, 5, 4));
        assert_eq!(layout.first_seen(), [[0, 0, 0, 3, 3, 5], [0, 0, 0, 0, 4, 4]]);
    }

    #[test]
    fn rows_of_one_sequence_share_a_mask() {
        let layout = Layout::new(2, 3, vec![vec![3], vec![1]]);
        assert_eq!(layout.first_seen(), [[0, 0, 0]]);
        assert_eq!((layout.longest(), layout.filled(1)), (3, 1));
        assert_eq!(Layout::new(2, 3, vec![]).filled(1), 3);
    }

    #[test]
    fn padding_in_front_is_not_counted() {
        let layout = Layout::cached(2, 2, 4, vec![0, 3]);
        assert_eq!((layout.all(), layout.longest()), (6, 6));
        assert_eq!(layout.positions(), [4, 5, 1, 2]);
        assert_eq!(layout.first_seen(), [[0, 0], [3, 3]]);
    }
}
