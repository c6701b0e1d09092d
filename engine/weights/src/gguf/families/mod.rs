//! Architectures that llama.cpp knows, by the `model_type` of their `config.json`: how GGUF calls their tensors and what
//! it says of them. A file each, for those that differ in more than numbers.

mod config;
mod found;
mod gemma;
mod gpt2;
mod gpt_neox;
mod llama;
mod phi3;
mod qwen;
mod rope;

pub(super) use config::Config;
pub(super) use found::Found;

use super::{
    Entries, Place,
    layout::{Made, Order, no_place},
};
use crate::TensorShape;
use framework_base::{Error, Problem, Result};
use serde_json::{Map, Value};

/// The tensor of embeddings.
pub(super) const EMBEDDINGS: &str = "token_embd.weight";
/// The vocabulary projection; where there is none, it is that of the embeddings.
pub(super) const OUTPUT: &str = "output.weight";

/// Why GGUF, or llama.cpp, has no room for a model.
pub(super) type Unfit = String;

/// An architecture, or several that differ in numbers only.
pub(super) trait Family: Sync {
    /// The values of `model_type` that it is for.
    fn types(&self) -> &'static [&'static str];

    /// What GGUF calls a `model_type` of it.
    fn arch(&self, kind: &str) -> &'static str;

    /// Modules as folders call them, and as GGUF does; `{}` is a number, that of the block first.
    fn names(&self, kind: &str) -> Vec<(&'static str, &'static str)>;

    /// How the numbers of a folder's tensor are ordered.
    fn order(&self, _module: &str, _config: &Config) -> Result<Order, Unfit> {
        Ok(Order::Same)
    }

    /// What the file says of the architecture, without its name before each key.
    fn describe(&self, config: &Config, out: &mut Entries) -> Result<(), Unfit>;

    /// Whether llama.cpp wants a vocabulary projection even where it is that of the embeddings.
    fn wants_output(&self) -> bool {
        false
    }

    /// Tensors that follow from the configuration.
    fn more(&self, _config: &Config) -> Result<Vec<(String, Vec<f32>)>, Unfit> {
        Ok(Vec::new())
    }

    /// In what llama.cpp computes something else, and beyond which number of tokens.
    fn differs(&self, _config: &Config) -> Option<(usize, String)> {
        None
    }

    /// `config.json`, from what a file says.
    fn config(&self, found: &Found) -> Result<Map<String, Value>, Unfit>;
}

const FAMILIES: &[&dyn Family] =
    &[&llama::Llama, &qwen::Qwen, &phi3::Phi3, &gemma::Gemma, &gpt_neox::GptNeoX, &gpt2::Gpt2];

/// Every `model_type` that can be written as GGUF.
pub fn known_types() -> Vec<&'static str> {
    FAMILIES.iter().flat_map(|family| family.types()).copied().collect()
}

pub(super) fn family(kind: &str) -> Option<&'static dyn Family> {
    FAMILIES.iter().copied().find(|family| family.types().contains(&kind))
}

/// The `model_type` of a file's architecture; a mixture of experts is one of Mixtral.
pub(super) fn kind_of(arch: &str, experts: bool) -> Option<&'static str> {
    let mut fits = FAMILIES.iter().flat_map(|family| family.types().iter().map(move |kind| (*family, *kind)));
    fits.find(|(family, kind)| family.arch(kind) == arch && (*kind == "mixtral") == experts).map(|(_, kind)| kind)
}

/// A model as GGUF has it.
#[derive(Debug)]
pub struct Converted {
    /// What the file says of the architecture.
    pub entries: Entries,
    /// The tensors.
    pub places: Vec<Place>,
    /// In what llama.cpp computes something else, and up to how many tokens it does not.
    pub differs: Option<(usize, String)>,
}

/// How GGUF has a model of a `model_type` with these options and the folder's tensors.
///
/// # Errors
/// llama.cpp does not know the architecture, or not with these options: [`Error::Invalid`] about `--format`.
pub fn convert(kind: &str, config: &Map<String, Value>, tensors: &[TensorShape]) -> Result<Converted> {
    let unfit = |reason: Unfit| {
        let message = format!("the model (`model_type` {kind}) cannot be written as GGUF: {reason}");
        let help = "export it as a Hugging Face folder: --format hf";
        Error::invalid(Problem::new(message).key("--format").help(help))
    };
    let Some(family) = family(kind) else {
        return Err(unfit(format!("known are {}", known_types().join(", "))));
    };
    let config = Config::new(kind, config);
    let arch = family.arch(kind);
    let mut own = Entries::default();
    family.describe(&config, &mut own).map_err(unfit)?;
    let mut entries = Entries::default();
    own.0.into_iter().for_each(|(key, value)| entries.put(format!("{arch}.{key}"), value));
    let mut places = placed(family, &config, tensors)?;
    let embeddings = places.iter().find(|place| place.name == EMBEDDINGS && family.wants_output()).cloned();
    if let Some(embeddings) = embeddings.filter(|_| places.iter().all(|place| place.name != OUTPUT)) {
        places.push(Place { name: OUTPUT.into(), ..embeddings });
    }
    for (name, numbers) in family.more(&config).map_err(unfit)? {
        places.push(Place { name, shape: vec![numbers.len()], made: Made::Numbers(numbers) });
    }
    Ok(Converted { entries, places, differs: family.differs(&config) })
}

/// Where the folder's tensors go.
pub(super) fn placed(family: &dyn Family, config: &Config, tensors: &[TensorShape]) -> Result<Vec<Place>> {
    let names = family.names(config.kind);
    let mut places: Vec<Place> = Vec::new();
    for tensor in tensors {
        let (stem, numbers, leaf) = parts(&tensor.name);
        let Some((_, target)) = names.iter().find(|(module, _)| *module == stem) else {
            return Err(no_place(tensor, config.kind));
        };
        let order = family.order(&stem, config).map_err(Error::failed)?;
        let block = numbers.first().map_or(String::new(), ToString::to_string);
        let name = format!("{}.{leaf}", target.replacen("{}", &block, 1));
        // A tensor of one expert joins those of the others.
        if numbers.len() > 1 {
            match places.iter_mut().find(|place| place.name == name) {
                Some(Place { shape, made: Made::Stacked(names), .. }) => {
                    shape[0] += 1;
                    names.push(tensor.name.clone());
                }
                _ => {
                    let shape = [&[1], tensor.shape.as_slice()].concat();
                    places.push(Place { name, shape, made: Made::Stacked(vec![tensor.name.clone()]) });
                }
            }
            continue;
        }
        places.push(Place {
            name,
            shape: order.shape(tensor.shape.clone()),
            made: Made::Of(tensor.name.clone(), order),
        });
    }
    Ok(places)
}

/// A tensor's module with `{}` for numbers, the numbers, and its last part: `weight` or `bias`.
fn parts(name: &str) -> (String, Vec<usize>, &str) {
    let (module, leaf) = name.rsplit_once('.').unwrap_or((name, "weight"));
    let mut numbers = Vec::new();
    let part = |part: &str| match part.parse() {
        Ok(number) => {
            numbers.push(number);
            "{}".to_owned()
        }
        Err(_) => part.to_owned(),
    };
    let stem: Vec<_> = module.split('.').map(part).collect();
    (stem.join("."), numbers, leaf)
}
