//! Decoders on the boundary.

use super::{RawError, RawResult, filled, from_json, guard, receive, to_json};
use crate::{Decode, DecodeRequest, Decoder, DecoderTraits, Ends, Result, Scores, Step};
use abi_stable::{
    RRef, StableAbi, sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RSlice, RStr, RString, RVec},
};

/// [`Step`] on its way across.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawStep {
    tokens: RVec<u32>,
    parents: RVec<u32>,
    /// JSON, for what later versions add; empty.
    more: RString,
}

/// [`Ends`] on its way across.
#[sabi_trait]
pub trait EndsFfi {
    #[sabi(last_prefix_field)]
    fn ends(&self, row: u32, token: u32) -> RResult<bool, RawError>;
}

pub type RawEnds<'a> = EndsFfi_TO<'a, RRef<'a, ()>>;

#[sabi_trait]
pub trait DecodeFfi: Send + 'static {
    fn step(&mut self, data: RSlice<'_, f32>, vocab: usize, ends: RawEnds<'_>) -> RResult<RawStep, RawError>;
    #[sabi(last_prefix_field)]
    fn finish(&mut self) -> RResult<RString, RawError>;
}

pub type RawDecode = DecodeFfi_TO<RBox<()>>;

#[sabi_trait]
pub trait DecoderFfi: Send + Sync + 'static {
    fn options(&self) -> RResult<RString, RawError>;
    fn traits(&self) -> RResult<RString, RawError>;
    #[sabi(last_prefix_field)]
    fn start(&self, request: RStr<'_>) -> RResult<RawDecode, RawError>;
}

pub type RawDecoder = DecoderFfi_TO<RBox<()>>;

struct Export<T>(T);
struct Session(Box<dyn Decode>);
struct Asked<'a>(Ends<'a>);

impl EndsFfi for Asked<'_> {
    fn ends(&self, row: u32, token: u32) -> RawResult<bool> {
        guard(|| (self.0)(row, token))
    }
}

impl<T: Decoder> DecoderFfi for Export<T> {
    fn options(&self) -> RawResult<RString> {
        guard(|| filled(&self.0))
    }
    fn traits(&self) -> RawResult<RString> {
        guard(|| to_json(&self.0.traits()))
    }
    fn start(&self, request: RStr<'_>) -> RawResult<RawDecode> {
        guard(|| Ok(DecodeFfi_TO::from_value(Session(self.0.start(from_json(&request)?)?), TD_Opaque)))
    }
}

impl DecodeFfi for Session {
    fn step(&mut self, data: RSlice<'_, f32>, vocab: usize, ends: RawEnds<'_>) -> RawResult<RawStep> {
        guard(|| {
            let ends = |row, token| receive(ends.ends(row, token));
            let step = self.0.step(Scores::new(data.as_slice(), vocab, &ends))?;
            Ok(RawStep { tokens: step.tokens.into(), parents: step.parents.into(), more: RString::new() })
        })
    }
    fn finish(&mut self) -> RawResult<RString> {
        guard(|| to_json(&self.0.finish()?))
    }
}

pub(super) extern "C" fn build<T: Decoder>(options: RStr<'_>) -> RawResult<RawDecoder> {
    guard(|| {
        let options: T = super::from_json(&options)?;
        options.validate()?;
        Ok(DecoderFfi_TO::from_value(Export(options), TD_Opaque))
    })
}

/// A decoder, linked in or loaded.
pub struct DecoderObject {
    pub(super) raw: RawDecoder,
    pub(super) plugin: String,
}

/// A decoding under way, in a plugin.
pub struct DecodeObject {
    raw: RawDecode,
    plugin: String,
}

impl DecoderObject {
    /// All options, defaults included, as JSON.
    pub fn options(&self) -> Result<serde_json::Value> {
        super::named(&self.plugin, || from_json(&receive(self.raw.options())?))
    }

    /// See [`Decoder::traits`].
    pub fn traits(&self) -> Result<DecoderTraits> {
        super::named(&self.plugin, || from_json(&receive(self.raw.traits())?))
    }

    /// See [`Decoder::start`].
    pub fn start(&self, request: &DecodeRequest) -> Result<DecodeObject> {
        super::named(&self.plugin, || {
            let raw = receive(self.raw.start(to_json(request)?.as_rstr()))?;
            Ok(DecodeObject { raw, plugin: self.plugin.clone() })
        })
    }
}

impl DecodeObject {
    /// See [`Decode::step`].
    pub fn step(&mut self, scores: Scores) -> Result<Step> {
        let Self { raw, plugin } = self;
        super::named(plugin, || {
            let asked = Asked(scores.asked());
            let ends = EndsFfi_TO::from_ptr(RRef::new(&asked), TD_Opaque);
            let step = receive(raw.step(scores.data.into(), scores.vocab, ends))?;
            Ok(Step { tokens: step.tokens.into(), parents: step.parents.into() })
        })
    }

    /// See [`Decode::finish`].
    pub fn finish(&mut self) -> Result<Vec<Vec<u32>>> {
        let Self { raw, plugin } = self;
        super::named(plugin, || from_json(&receive(raw.finish())?))
    }
}
