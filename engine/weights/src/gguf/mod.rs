//! GGUF files, which llama.cpp and Ollama read: written from what a Hugging Face folder holds, and read back as such.
//!
//! The format is version 3 of ggml's `docs/gguf.md`, little-endian. Names, layouts and metadata are those of llama.cpp's
//! `convert_hf_to_gguf.py`. `families` has what differs from architecture to architecture.

mod cursor;
mod families;
mod format;
mod layout;
mod meta;
mod model;
mod read;
mod write;

pub use families::{Converted, convert, known_types};
pub use format::Packing;
pub use layout::Place;
pub use meta::{Entries, Meta};
pub use model::GgufModel;
pub use read::{GgufFile, GgufInfo};
pub use write::{GgufTensor, write_gguf};

/// The first bytes of a file.
const MAGIC: &[u8; 4] = b"GGUF";
/// The version of the format.
const VERSION: u32 = 3;
/// Tensors begin at multiples of this, counted from where the data begins, unless the file says otherwise.
const ALIGNMENT: usize = 32;

#[cfg(test)]
mod tests;
