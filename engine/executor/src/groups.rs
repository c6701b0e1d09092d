//! Where a list of integers has which value, for all values at once: on a GPU the host waits for an answer as long as the
//! data say, and a mixture of experts asks once for each expert.

use super::{
    transfer,
    value::{R, reshaped},
};
use burn::tensor::{Int, Tensor as Burn};
use framework_core::Result;
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

/// What has been found out about a tensor of integers; its clones share it.
#[derive(Clone, Default)]
pub(super) struct Groups(Arc<Mutex<Option<Arc<Found>>>>);

/// A mask that says where a list of integers has a value.
#[derive(Clone)]
pub(super) struct EqualTo {
    pub list: Burn<R, Int>,
    pub groups: Groups,
    pub value: i32,
}

struct Found {
    /// All places, those of equal values together and in ascending order.
    places: Burn<1, Int>,
    ranges: BTreeMap<i32, Range<usize>>,
}

impl EqualTo {
    /// The places `[n]` in ascending order.
    pub fn places(&self) -> Result<Burn<1, Int>> {
        let mut known = self.groups.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match &*known {
            Some(found) => found.clone(),
            None => known.insert(Arc::new(Found::of(&self.list)?)).clone(),
        };
        Ok(match found.ranges.get(&self.value) {
            Some(range) => found.places.clone().slice(range.clone()),
            None => Burn::empty([0], &self.list.device()),
        })
    }
}

impl Found {
    fn of(list: &Burn<R, Int>) -> Result<Self> {
        let numbers = transfer::read_ints(|| list.clone().inner().into_data())?;
        let mut order: Vec<i32> = (0..numbers.len() as i32).collect();
        order.sort_by_key(|&place| numbers[place as usize]);
        let mut ranges = BTreeMap::new();
        for (i, &place) in order.iter().enumerate() {
            ranges.entry(numbers[place as usize]).or_insert(i..i).end = i + 1;
        }
        let count = order.len();
        let places = match count {
            0 => Burn::empty([0], &list.device()),
            _ => transfer::ints(order, [count], &list.device()),
        };
        Ok(Self { places, ranges })
    }
}

/// The places as an index.
pub(super) fn index(places: Burn<1, Int>) -> Burn<R, Int> {
    let count = places.dims()[0];
    reshaped!(places, [1, 1, 1, 1, count])
}
