//! Where tokens stand: rows of tokens of any number of sequences, with gaps.

use std::collections::BTreeMap;

/// A place in a row: a token of a sequence, or padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A token of the sequence of this number.
    Token {
        /// The number of the sequence, which is the same in all passes.
        sequence: usize,
        /// Its id in the vocabulary.
        id: usize,
    },
    /// Nothing.
    Padding,
}

/// A token of a pass: its sequence, and how many tokens of that come before it, virtual ones counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub sequence: usize,
    pub position: usize,
}

/// The places of a pass after virtual tokens have been put before each sequence that begins in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub rows: usize,
    pub time: usize,
    /// Row by row; none for padding.
    pub slots: Vec<Option<Slot>>,
    /// For each slot the place that it comes from, or the number of the virtual token.
    pub sources: Vec<Source>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Embedded(usize),
    Virtual(usize),
    Nothing,
}

impl Layout {
    /// Of rows of places behind sequences of these lengths, which grow.
    pub fn new(rows: &[Vec<Place>], lengths: &mut BTreeMap<usize, usize>, prompt: usize, prefix: usize) -> Self {
        let mut laid: Vec<Vec<(Option<Slot>, Source)>> = Vec::new();
        let mut index = 0;
        for row in rows {
            let mut out = Vec::new();
            for place in row {
                match *place {
                    Place::Padding => out.push((None, Source::Nothing)),
                    Place::Token { sequence, .. } => {
                        let length = lengths.entry(sequence).or_insert_with(|| {
                            let slot = |n| Slot { sequence, position: prefix + n };
                            out.extend((0..prompt).map(|n| (Some(slot(n)), Source::Virtual(n))));
                            prefix + prompt
                        });
                        out.push((Some(Slot { sequence, position: *length }), Source::Embedded(index)));
                        *length += 1;
                    }
                }
                index += 1;
            }
            laid.push(out);
        }
        let time = laid.iter().map(Vec::len).max().unwrap_or(0);
        laid.iter_mut().for_each(|row| row.resize(time, (None, Source::Nothing)));
        let (slots, sources) = laid.into_iter().flatten().unzip();
        Self { rows: rows.len(), time, slots, sources }
    }

    /// Positions, 0 for padding.
    pub fn positions(&self) -> Vec<usize> {
        self.slots.iter().map(|slot| slot.map_or(0, |slot| slot.position)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_tokens_stand_before_each_sequence_once() {
        let token = |sequence| Place::Token { sequence, id: 5 };
        let mut lengths = BTreeMap::new();
        let rows = [vec![token(0), token(1), token(1)], vec![Place::Padding, token(2), token(2)]];
        let layout = Layout::new(&rows, &mut lengths, 1, 2);
        assert_eq!((layout.rows, layout.time), (2, 5));
        assert_eq!(layout.positions(), [2, 3, 2, 3, 4, 0, 2, 3, 4, 0]);
        assert_eq!(layout.sources[..3], [Source::Virtual(0), Source::Embedded(0), Source::Virtual(0)]);
        let later = Layout::new(&[vec![token(1)]], &mut lengths, 1, 2);
        assert_eq!((later.positions(), later.sources), (vec![5], vec![Source::Embedded(0)]));
    }
}
