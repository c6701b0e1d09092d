//! Where the tokens of a pass lie: rows, what the cache has of them, padding, sequences that share a row, and virtual
//! tokens.

/// Virtual tokens that an adapter puts before each sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Virtual {
    /// With hidden states: they are computed like the others.
    pub prompt: usize,
    /// With keys and values alone.
    pub prefix: usize,
}

impl Virtual {
    /// All of them.
    pub fn count(self) -> usize {
        self.prompt + self.prefix
    }
}

/// Rows of tokens, after those that a cache may hold. The tokens of a prompt are counted among them, those of a prefix
/// are not.
pub(super) struct Layout {
    pub rows: usize,
    /// Tokens per row in this pass.
    pub time: usize,
    /// Tokens per row that are given to the pass: those without the virtual ones.
    given: usize,
    /// Tokens per row in the cache before it.
    offset: usize,
    /// Padding in front of each row.
    starts: Vec<usize>,
    /// Lengths of the sequences in each row, one behind the other; the rest is padding. Empty if each row is one.
    segments: Vec<Vec<usize>>,
    /// Virtual tokens before each sequence that begins in this pass.
    prompt: usize,
    /// Virtual keys before each row.
    pub prefix: usize,
}

impl Layout {
    pub fn new(rows: usize, time: usize, mut segments: Vec<Vec<usize>>, with: Virtual) -> Self {
        let Virtual { prompt, prefix } = with;
        segments.iter_mut().flatten().for_each(|length| *length += prompt);
        let most = segments.iter().map(Vec::len).max().unwrap_or(1);
        let filled = segments.iter().map(|row| row.iter().sum()).max().unwrap_or(0);
        let all = if prompt == 0 { time } else { filled.max(time + if most == 1 { prompt } else { 0 }) };
        Self { rows, time: all, given: time, offset: 0, starts: vec![0; rows], segments, prompt, prefix }
    }

    /// Behind what a cache holds: so many tokens per row, with this much padding in front.
    pub fn cached(rows: usize, time: usize, offset: usize, starts: Vec<usize>, with: Virtual) -> Self {
        let prompt = if offset == 0 { with.prompt } else { 0 };
        let (given, time, segments) = (time, time + prompt, Vec::new());
        Self { rows, time, given, offset, starts, segments, prompt, prefix: with.prefix }
    }

    /// Tokens per row, with those in the cache.
    pub fn all(&self) -> usize {
        self.offset + self.time
    }

    /// For each token of the pass, in the order of the rows, the number of the given token that it is; virtual tokens
    /// have the numbers after those. None if there are no virtual tokens.
    pub fn sources(&self) -> Option<Vec<i32>> {
        if self.prompt == 0 {
            return None;
        }
        let virtual_ones = self.rows * self.given..self.rows * self.given + self.prompt;
        let of_row = |row: usize| {
            let (first, start) = (row * self.given, self.starts[row]);
            let mut all: Vec<usize> = (first..first + start).collect();
            let mut next = first + start;
            let whole = [self.time - start];
            for length in self.segments.get(row).map_or(&whole[..], Vec::as_slice) {
                all.extend(virtual_ones.clone());
                all.extend(next..next + length - self.prompt);
                next += length - self.prompt;
            }
            // Padding behind the sequences; what it is does not matter.
            all.resize(self.time, first);
            all.into_iter().map(|index| index as i32)
        };
        Some((0..self.rows).flat_map(of_row).collect())
    }

    /// Where the given tokens, numbered row by row, lie in the pass.
    pub fn places(&self) -> Vec<i32> {
        let given = self.rows * self.given;
        let Some(sources) = self.sources() else { return (0..given as i32).collect() };
        let mut places = vec![0; given];
        for (place, source) in sources.iter().enumerate().rev() {
            if let Some(found) = places.get_mut(*source as usize) {
                *found = place as i32;
            }
        }
        places
    }

    /// The position `[rows, time]` of each token in its sequence; padding behind the sequences is at 0.
    pub fn positions(&self) -> Vec<i32> {
        self.steps(self.prefix)
    }

    /// How many tokens of its sequence come before each token, those of a prefix counted as `prefix`.
    pub fn steps(&self, prefix: usize) -> Vec<i32> {
        let of_row = |row: usize| -> Vec<i32> {
            let prefix = prefix as i32;
            if let Some(lengths) = self.segments.get(row) {
                let mut positions: Vec<i32> = lengths.iter().flat_map(|&n| prefix..prefix + n as i32).collect();
                positions.resize(self.time, 0);
                return positions;
            }
            let at = |i: usize| (self.offset + i).saturating_sub(self.starts[row]) as i32 + prefix;
            (0..self.time).map(at).collect()
        };
        (0..self.rows).flat_map(of_row).collect()
    }

    /// The length of the longest sequence.
    pub fn longest(&self) -> usize {
        let longest = match self.segments.iter().flatten().max() {
            Some(&longest) => longest,
            None => self.all().saturating_sub(self.starts.iter().copied().min().unwrap_or(0)),
        };
        longest + self.prefix
    }

    /// Tokens of a row that are not padding behind its sequences.
    pub fn filled(&self, row: usize) -> usize {
        self.segments.get(row).map_or(self.time, |lengths| lengths.iter().sum())
    }

    /// For each query the first key that it may see, those of the prefix not counted: where its sequence begins. One row
    /// if all are alike.
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

    const NONE: Virtual = Virtual { prompt: 0, prefix: 0 };

    #[test]
    fn sequences_that_share_a_row_begin_anew() {
        let layout = Layout::new(2, 6, vec![vec![3, 2], vec![4]], NONE);
        assert_eq!(layout.positions(), [0, 1, 2, 0, 1, 0, 0, 1, 2, 3, 0, 0]);
        assert_eq!((layout.longest(), layout.filled(0), layout.filled(1)), (4, 5, 4));
        assert_eq!(layout.first_seen(), [[0, 0, 0, 3, 3, 5], [0, 0, 0, 0, 4, 4]]);
        assert_eq!((layout.sources(), layout.places().len()), (None, 12));
    }

    #[test]
    fn rows_of_one_sequence_share_a_mask() {
        let layout = Layout::new(2, 3, vec![vec![3], vec![1]], NONE);
        assert_eq!(layout.first_seen(), [[0, 0, 0]]);
        assert_eq!((layout.longest(), layout.filled(1)), (3, 1));
        assert_eq!(Layout::new(2, 3, vec![], NONE).filled(1), 3);
    }

    #[test]
    fn padding_in_front_is_not_counted() {
        let layout = Layout::cached(2, 2, 4, vec![0, 3], NONE);
        assert_eq!((layout.all(), layout.longest()), (6, 6));
        assert_eq!(layout.positions(), [4, 5, 1, 2]);
        assert_eq!(layout.first_seen(), [[0, 0], [3, 3]]);
    }

    #[test]
    fn a_prompt_stands_before_each_sequence() {
        let with = Virtual { prompt: 2, prefix: 0 };
        let packed = Layout::new(2, 4, vec![vec![2, 1], vec![4]], with);
        assert_eq!(packed.time, 7);
        // Given tokens are 0..8, virtual ones 8 and 9.
        assert_eq!(packed.sources().unwrap(), [8, 9, 0, 1, 8, 9, 2, 8, 9, 4, 5, 6, 7, 4]);
        assert_eq!(packed.places()[..3], [2, 3, 6]);
        assert_eq!(packed.places()[4..], [9, 10, 11, 12]);
        assert_eq!(packed.positions(), [0, 1, 2, 3, 0, 1, 2, 0, 1, 2, 3, 4, 5, 0]);
        let plain = Layout::new(2, 3, vec![vec![3], vec![1]], with);
        assert_eq!((plain.time, plain.filled(1)), (5, 3));
        assert_eq!(plain.sources().unwrap()[5..8], [6, 7, 3]);
        assert_eq!(Layout::new(1, 3, vec![], with).sources().unwrap(), [3, 4, 0, 1, 2]);
        let padded = Layout::cached(2, 3, 0, vec![0, 1], with);
        assert_eq!(padded.sources().unwrap(), [6, 7, 0, 1, 2, 3, 6, 7, 4, 5]);
        assert_eq!(padded.positions()[5..], [0, 0, 1, 2, 3]);
        let step = Layout::cached(2, 1, 5, vec![0, 1], with);
        assert_eq!((step.sources(), step.positions()), (None, vec![5, 4]));
    }

    #[test]
    fn a_prefix_moves_positions() {
        let with = Virtual { prompt: 0, prefix: 3 };
        let layout = Layout::new(1, 5, vec![vec![2, 2]], with);
        assert_eq!((layout.positions(), layout.longest()), (vec![3, 4, 3, 4, 0], 5));
        assert_eq!(Layout::cached(1, 1, 4, vec![1], with).positions(), [6]);
    }
}
