//! Reads the parts of a GGUF file one after the other.

use super::{GgufInfo, Meta, Packing};

/// A place in the bytes.
pub(super) struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Cursor<'a> {
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len()).ok_or("its end is missing")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "its end is missing".to_owned())
    }

    pub fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn size(&mut self) -> Result<usize, String> {
        usize::try_from(self.array().map(u64::from_le_bytes)?).map_err(|_| "a size is too large".to_owned())
    }

    /// How many of something follow: each takes a byte or more.
    pub fn count(&mut self) -> Result<usize, String> {
        let count = self.size()?;
        if count > self.bytes.len() { Err("its end is missing".into()) } else { Ok(count) }
    }

    pub fn text(&mut self) -> Result<String, String> {
        let size = self.size()?;
        String::from_utf8(self.take(size)?.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
    }

    pub fn value(&mut self, code: u32, depth: usize) -> Result<Meta, String> {
        Ok(match code {
            4 => Meta::U32(self.u32()?),
            5 => Meta::I32(self.array().map(i32::from_le_bytes)?),
            6 => Meta::F32(self.array().map(f32::from_le_bytes)?),
            7 => Meta::Bool(self.array::<1>()? != [0]),
            8 => Meta::Text(self.text()?),
            9 if depth > 0 => {
                let (code, count) = (self.u32()?, self.count()?);
                Meta::List((0..count).map(|_| self.value(code, depth - 1)).collect::<Result<_, _>>()?)
            }
            _ => return Err(format!("its type {code} is not read here")),
        })
    }

    pub fn tensor(&mut self) -> Result<(String, GgufInfo), String> {
        let (name, dimensions) = (self.text()?, self.u32()?);
        let mut shape = (0..dimensions.min(8)).map(|_| self.size()).collect::<Result<Vec<_>, _>>()?;
        shape.reverse();
        let code = self.u32()?;
        let packing = Packing::of_code(code)
            .ok_or_else(|| format!("tensor `{name}` is of the type {code}; F32, F16, BF16 and Q8_0 are known"))?;
        let elements = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
        let elements = elements.filter(|n| *n <= self.bytes.len()).ok_or(format!("tensor `{name}` is too large"))?;
        let start = self.size()?;
        let end = start.checked_add(packing.bytes(elements)).ok_or("its end is missing")?;
        Ok((name, GgufInfo { shape, packing, range: start..end }))
    }
}
