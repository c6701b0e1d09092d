//! What all passes over the same tokens have in common: where those lie, and what follows from that, made once.

use super::{Device, attention::Spans, layout::Layout, ops::Angles, place::Places, value::Value};
use burn::tensor::{Int, Tensor as Burn};
use framework_core::{AttentionSpec, Result, Rotary};
use std::sync::{Mutex, OnceLock, PoisonError};

pub(super) struct Frame {
    pub layout: Layout,
    device: Device,
    places: OnceLock<Places>,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    positions: Option<Burn<2, Int>>,
    shares: Option<Burn<2>>,
    /// What queries see, by whether they look ahead and how far back.
    spans: Vec<((bool, Option<usize>), Spans)>,
    /// Sine and cosine of each rotation.
    rotations: Vec<(Rotary, Angles)>,
}

impl Frame {
    pub fn new(layout: Layout, device: &Device) -> Self {
        Self { layout, device: device.clone(), places: OnceLock::new(), made: Mutex::default() }
    }

    fn places(&self) -> &Places {
        self.places.get_or_init(|| Places::new(&self.layout, &self.device))
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Positions `[rows, time]`, those of a prefix counted.
    pub fn positions(&self) -> Value {
        let Layout { rows, time, prefix, .. } = self.layout;
        let mut made = self.made();
        let positions = made.positions.get_or_insert_with(|| self.places().positions(prefix)).clone();
        Value::int(positions.reshape([1, 1, 1, rows, time]), 2)
    }

    /// How many tokens of its sequence come before each token `[rows, time]`.
    pub fn steps(&self) -> Burn<2, Int> {
        self.places().positions(0)
    }

    /// What each token counts in a mean over all that are not padding `[1, rows * time]`.
    pub fn shares(&self) -> Value {
        let Layout { rows, time, .. } = self.layout;
        let shares = self.made().shares.get_or_insert_with(|| self.places().shares(self.layout.fillings())).clone();
        Value::float(shares.reshape([1, 1, 1, 1, rows * time]), 2)
    }

    pub fn spans(&self, how: &AttentionSpec) -> Spans {
        let (mut made, kind) = (self.made(), (how.causal, how.window));
        if let Some((_, spans)) = made.spans.iter().find(|(known, _)| *known == kind) {
            return spans.clone();
        }
        let spans = Spans::new(&self.layout, self.places().firsts(), how, &self.device);
        made.spans.push((kind, spans.clone()));
        spans
    }

    pub fn angles(&self, rotary: Rotary) -> Result<Angles> {
        let positions = self.positions();
        let mut made = self.made();
        if let Some((_, angles)) = made.rotations.iter().find(|(known, _)| *known == rotary) {
            return Ok(angles.clone());
        }
        let angles = Angles::new(positions, &rotary)?;
        made.rotations.push((rotary, angles.clone()));
        Ok(angles)
    }
}
