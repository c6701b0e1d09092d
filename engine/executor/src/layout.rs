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

    /// Tokens of each row that are not padding behind its sequences; none if no row has any.
    pub fn fillings(&self) -> Option<Vec<i32>> {
        let all: Vec<_> = (0..self.rows).map(|row| self.filled(row) as i32).collect();
        all.iter().any(|filled| *filled < self.time as i32).then_some(all)
    }

    /// For each token `[rows, time]` the first of its sequence, those of the cache counted and those of the prefix not;
    /// padding behind the sequences is a sequence a token. None if every row is one sequence from its first token on.
    pub fn firsts(&self) -> Option<Vec<i32>> {
        let packed = self.segments.iter().any(|lengths| lengths.len() > 1);
        if !packed && self.starts.iter().all(|&start| start == 0) {
            return None;
        }
        let of_row = |row: usize| -> Vec<i32> {
            let Some(lengths) = self.segments.get(row).filter(|_| packed) else {
                return vec![self.starts[row] as i32; self.time];
            };
            let mut first = Vec::with_capacity(self.time);
            for length in lengths {
                first.resize(first.len() + length, first.len() as i32);
            }
            first.extend(first.len() as i32..self.time as i32);
            first
        };
        Some((0..self.rows).flat_map(of_row).collect())
    }

    /// For each token `[rows, time]` where its sequence ends. None if every row is one sequence to its last token.
    pub fn ends(&self) -> Option<Vec<i32>> {
        let packed = self.segments.iter().any(|lengths| lengths.len() > 1);
        if !packed && self.fillings().is_none() {
            return None;
        }
        let of_row = |row: usize| -> Vec<i32> {
            let mut end = Vec::with_capacity(self.time);
            for length in &self.segments[row] {
                end.resize(end.len() + length, (end.len() + length) as i32);
            }
            end.extend(end.len() as i32 + 1..=self.time as i32);
            end
        };
        Some((0..self.rows).flat_map(of_row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Virtual = Virtual { prompt: 0, prefix: 0 };

    #[test]
    fn sequences_that_share_a_row_begin_anew() {
        let layout = Layout::new(2, 6, vec![vec![3, 2], vec![4]], NONE);
        assert_eq!((layout.longest(), layout.filled(0), layout.filled(1)), (4, 5, 4));
        assert_eq!(layout.firsts().unwrap(), [0, 0, 0, 3, 3, 5, 0, 0, 0, 0, 4, 5]);
        assert_eq!(layout.ends().unwrap(), [3, 3, 3, 5, 5, 6, 4, 4, 4, 4, 5, 6]);
        assert_eq!(layout.fillings().unwrap(), [5, 4]);
        assert_eq!((layout.sources(), layout.places().len()), (None, 12));
    }

    #[test]
    fn rows_of_one_sequence_begin_alike() {
        let layout = Layout::new(2, 3, vec![vec![3], vec![1]], NONE);
        assert_eq!((layout.firsts(), layout.ends().unwrap()), (None, vec![3, 3, 3, 1, 2, 3]));
        assert_eq!((layout.longest(), layout.filled(1)), (3, 1));
        assert_eq!(Layout::new(2, 3, vec![], NONE).filled(1), 3);
    }

    #[test]
    fn padding_in_front_is_not_counted() {
        let layout = Layout::cached(2, 2, 4, vec![0, 3], NONE);
        assert_eq!((layout.all(), layout.longest()), (6, 6));
        assert_eq!((layout.firsts().unwrap(), layout.ends()), (vec![0, 0, 3, 3], None));
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
        assert_eq!(packed.firsts().unwrap(), [0, 0, 0, 0, 4, 4, 4, 0, 0, 0, 0, 0, 0, 6]);
        let plain = Layout::new(2, 3, vec![vec![3], vec![1]], with);
        assert_eq!((plain.time, plain.filled(1)), (5, 3));
        assert_eq!(plain.sources().unwrap()[5..8], [6, 7, 3]);
        assert_eq!(Layout::new(1, 3, vec![], with).sources().unwrap(), [3, 4, 0, 1, 2]);
        let padded = Layout::cached(2, 3, 0, vec![0, 1], with);
        assert_eq!(padded.sources().unwrap(), [6, 7, 0, 1, 2, 3, 6, 7, 4, 5]);
        let step = Layout::cached(2, 1, 5, vec![0, 1], with);
        assert_eq!(step.sources(), None);
    }
}
