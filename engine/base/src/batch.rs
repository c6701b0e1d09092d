//! Sequences of tokens and batches of them: what the text room makes and the executor reads.

/// The label of a token that is not trained, as PyTorch's cross-entropy has it.
pub const IGNORE: i32 = -100;

/// Token ids and, of the same length, what is to be predicted: each token itself, or [`IGNORE`].
///
/// Labels are not shifted: the loss compares the prediction at `t` with the label at `t + 1`, so the first is unused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Labels.
    pub labels: Vec<i32>,
}

impl Sequence {
    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The number of tokens that the loss counts.
    pub fn supervised(&self) -> usize {
        self.labels.iter().skip(1).filter(|label| **label != IGNORE).count()
    }
}

/// Rows of sequences side by side, filled up on the right to the longest row.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Token ids `[rows, time]`.
    pub ids: Vec<u32>,
    /// Labels `[rows, time]`, unshifted; [`IGNORE`] where nothing is trained.
    pub labels: Vec<i32>,
    /// For each row the lengths of its sequences, one behind the other; what comes after them is padding.
    pub segments: Vec<Vec<usize>>,
    /// Number of rows.
    pub rows: usize,
    /// Length of the longest row.
    pub time: usize,
    /// For each sequence, what its labels count, if that is not 1 for all. An objective may give the sign a meaning.
    pub weights: Vec<f32>,
    /// For each sequence, its number among all that are trained or evaluated, where that is known.
    pub numbers: Vec<usize>,
}

impl Batch {
    /// Puts sequences together, each in a row of its own.
    pub fn new<'a>(sequences: impl IntoIterator<Item = &'a Sequence>, pad: u32) -> Self {
        Self::packed(sequences.into_iter().map(|sequence| vec![sequence]), pad)
    }

    /// Puts rows of sequences together. Nothing predicts a sequence's first token: what is before it is another's.
    pub fn packed<'a>(rows: impl IntoIterator<Item = Vec<&'a Sequence>>, pad: u32) -> Self {
        let all: Vec<_> = rows.into_iter().collect();
        let segments: Vec<Vec<usize>> = all.iter().map(|row| row.iter().map(|s| s.len()).collect()).collect();
        let (rows, time) = (all.len(), segments.iter().map(|row| row.iter().sum()).max().unwrap_or(0));
        let (mut ids, mut labels) = (Vec::with_capacity(rows * time), Vec::with_capacity(rows * time));
        for (end, row) in (1..).map(|row| row * time).zip(all) {
            for sequence in row {
                let first = labels.len();
                ids.extend(&sequence.ids);
                labels.extend(&sequence.labels);
                labels[first..].iter_mut().take(1).for_each(|label| *label = IGNORE);
            }
            ids.resize(end, pad);
            labels.resize(end, IGNORE);
        }
        Self { ids, labels, segments, rows, time, weights: Vec::new(), numbers: Vec::new() }
    }

    /// The number of tokens that are not padding.
    pub fn tokens(&self) -> usize {
        self.segments.iter().flatten().sum()
    }

    /// For each sequence, in order, the number of tokens that the loss counts.
    pub fn labels_by_sequence(&self) -> Vec<usize> {
        let mut counts = Vec::new();
        for (row, lengths) in self.segments.iter().enumerate() {
            let mut at = row * self.time;
            for length in lengths {
                // A row's first label is predicted by nothing, and those of its other sequences are ignored.
                let labels = &self.labels[at..at + length];
                counts.push(labels.iter().skip(1).filter(|label| **label != IGNORE).count());
                at += length;
            }
        }
        counts
    }

    /// Numbers of all labels, such as their losses, row by row, parted by sequence.
    pub fn by_sequence<'a, T>(&self, mut all: &'a [T]) -> Vec<&'a [T]> {
        let part = |labels| all.split_off(..labels).unwrap_or_default();
        self.labels_by_sequence().into_iter().map(part).collect()
    }

    /// The number of tokens that the loss counts.
    pub fn supervised(&self) -> usize {
        let rows = self.labels.chunks(self.time.max(1));
        rows.map(|row| row.iter().skip(1).filter(|label| **label != IGNORE).count()).sum()
    }
}
