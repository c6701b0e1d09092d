//! A GGUF file read as a Hugging Face folder.

use super::{
    GgufFile, Meta, Place,
    families::{Config, Found, family, kind_of, placed},
    layout::{Made, Order},
};
use crate::{TensorShape, at};
use framework_base::{Error, Result};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::Path};

/// A model in a GGUF file.
#[derive(Debug)]
pub struct GgufModel {
    file: GgufFile,
    config: Map<String, Value>,
    kind: &'static str,
    /// Where each of the folder's tensors is: a tensor of the file, and which of its parts.
    places: BTreeMap<String, (Place, usize)>,
}

impl GgufModel {
    /// Opens a file and makes a `config.json` of what it says.
    ///
    /// # Errors
    /// A file that is not whole, or of an architecture that is not read here: [`Error::Invalid`] with the file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = GgufFile::open(path)?;
        let wrong = |what: String| Error::invalid(at(path, format!("does not hold a model that is read here: {what}")));
        let text = |name: &str| file.entries().get(name).and_then(Meta::text).map(str::to_owned);
        let arch = text("general.architecture").ok_or_else(|| wrong("it names no `general.architecture`".into()))?;
        let experts = file.entries().get(&format!("{arch}.expert_count")).is_some();
        let kind = kind_of(&arch, experts).ok_or_else(|| wrong(format!("its architecture is `{arch}`")))?;
        let family = family(kind).ok_or_else(|| wrong(format!("its architecture is `{arch}`")))?;
        let config = family.config(&Found { kind, file: &file, arch: &arch }).map_err(wrong)?;
        Ok(Self { file, config, kind, places: BTreeMap::new() })
    }

    /// The file.
    pub fn file(&self) -> &GgufFile {
        &self.file
    }

    /// Its `config.json`.
    pub fn config(&self) -> &Map<String, Value> {
        &self.config
    }

    /// Says which tensors, as folders have them, are going to be read.
    ///
    /// # Errors
    /// Tensors that the architecture does not have in GGUF.
    pub fn expect(&mut self, tensors: &[TensorShape]) -> Result<()> {
        let family = family(self.kind).ok_or_else(|| Error::failed("the architecture was lost"))?;
        for place in placed(family, &Config::new(self.kind, &self.config), tensors)? {
            for (part, name) in place.holds().iter().enumerate() {
                self.places.insert(name.clone(), (place.clone(), part));
            }
        }
        Ok(())
    }

    /// Tensors of the file that none of those is made of.
    pub fn unused(&self) -> Vec<&str> {
        let used = |name: &str| self.places.values().any(|(place, _)| place.name == name);
        self.file.names().filter(|name| !used(name) && !name.starts_with("rope_")).collect()
    }

    /// The numbers of a tensor, as a folder has it.
    ///
    /// # Errors
    /// A tensor that was not expected, or is not there, or has another shape.
    pub fn tensor(&self, name: &str) -> Result<Vec<f32>> {
        let missing = || Error::failed(format!("{}: tensor `{name}` was not expected", self.file.path().display()));
        let (place, part) = self.places.get(name).ok_or_else(missing)?;
        let found = self.file.info(&place.name).map_or(&[][..], |info| &info.shape);
        if !found.is_empty() && found != place.shape {
            let message = format!("tensor `{}` has the shape {found:?}, not {:?}", place.name, place.shape);
            return Err(Error::invalid(at(self.file.path(), message)));
        }
        match &place.made {
            Made::Of(_, order) => Ok(order.backward(self.file.tensor(&place.name)?, &place.shape)),
            Made::Stacked(_) => {
                let size: usize = place.shape[1..].iter().product();
                Ok(Order::Same.backward(self.file.part(&place.name, part * size..(part + 1) * size)?, &place.shape))
            }
            Made::Numbers(numbers) => Ok(numbers.clone()),
        }
    }
}
