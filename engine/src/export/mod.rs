//! What a run has trained, for use elsewhere: a PEFT adapter folder, a whole Hugging Face model folder, or a GGUF file for
//! llama.cpp and Ollama. What is written is read again and compared with the run before the folder gets its name.

mod alike;
mod answered;
mod card;
mod gguf;
mod given;
mod hf;
mod manifest;
mod modelfile;
mod proof;
mod vocab;

pub use answered::Difference;
pub use manifest::{Answer, FileFact, Manifest, Quantized};

use crate::{run::RunFolder, session::PluginSources};
use framework_base::{Error, Float, Problem, Result, files};
use framework_weights::{SHARD, gguf::Packing};
use given::Given;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A folder that transformers or PEFT loads.
    #[default]
    Hf,
    /// One file for llama.cpp and Ollama.
    Gguf,
}

/// What is exported, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Fold the adapter into the base model, and write that. GGUF always is a whole model.
    pub merge: bool,
    /// What is written.
    pub format: Format,
    /// The number format; none: as the base model, or what was trained, is stored.
    pub dtype: Option<Packing>,
    /// The bytes of weights that go into one file of a Hugging Face folder.
    pub shard: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { merge: false, format: Format::Hf, dtype: None, shard: SHARD }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exported {
    /// An adapter, for the base model.
    Adapter,
    /// A model, complete.
    Model,
}

/// An export that has been proved.
#[derive(Debug)]
pub struct Report {
    /// What was written.
    pub what: Exported,
    /// What stands in `export.json`.
    pub manifest: Manifest,
    /// Command lines that use it.
    pub commands: Vec<String>,
}

/// Writes what a run has trained into a new folder, which appears when it is whole and proved.
///
/// # Errors
/// The folder is there already; the run has not come to its end; the adapter cannot be merged; the number format cannot
/// hold the numbers; GGUF has no room for the model or its tokenizer; what was written is not what was trained; a full
/// disk.
pub fn export(run: &Path, to: &Path, options: &Options, sources: &PluginSources) -> Result<Report> {
    let run = RunFolder::open(run)?;
    let to = free(to)?;
    let adapter = !run.model().is_dir() && !options.merge && options.format == Format::Hf;
    write(Given::of_run(&run, sources)?, &to, options, adapter.then_some(&run))
}

/// Writes a model folder, with an adapter folder folded into it if one is given, into a new folder.
///
/// # Errors
/// As those of [`export`]; an adapter that is not to be folded in.
pub fn fold(
    model: &Path,
    adapter: Option<&Path>,
    to: &Path,
    options: &Options,
    sources: &PluginSources,
) -> Result<Report> {
    if adapter.is_some() && !options.merge && options.format == Format::Hf {
        let message = "an adapter folder is exported with its model: it is a folder for PEFT already";
        return Err(Error::invalid(Problem::new(message).key("--adapter").help("add --merge, or --format gguf")));
    }
    let to = free(to)?;
    write(Given::of_folders(model, adapter, sources)?, &to, options, None)
}

/// Compares an exported folder with the run that it came from once more, e.g. after it was copied.
///
/// # Errors
/// What differs; a folder or a run that cannot be read.
pub fn prove(run: &Path, folder: &Path, sources: &PluginSources) -> Result<Manifest> {
    let run = RunFolder::open(run)?;
    let old = Manifest::read(folder)?;
    let given = Given::of_run(&run, sources)?;
    let packing = old.packing()?;
    let within = match old.format.as_str() {
        "gguf" => gguf::Whole::of(&given, packing)?.within(),
        _ => None,
    };
    let said = given.say(within)?;
    let mut manifest =
        Manifest { files: old.files, file: old.file, format: old.format, ..given.manifest(old.what, packing) };
    proof::prove(given, &said, folder, &mut manifest)?;
    Ok(manifest)
}

/// Writes the folder; an adapter as it is if it is that of a run.
fn write(given: Given, to: &Path, options: &Options, adapter: Option<&RunFolder>) -> Result<Report> {
    let packing = options.dtype.unwrap_or(Packing::Float(given.stored));
    let what = if adapter.is_some() { Exported::Adapter } else { Exported::Model };
    if what == Exported::Model {
        given.foldable()?;
    }
    let float = match packing {
        Packing::Float(float) => float,
        Packing::Q8 if options.format == Format::Gguf => Float::F32,
        Packing::Q8 => {
            let problem = Problem::new("`q8_0` is a number format of GGUF").key("--dtype");
            return Err(Error::invalid(problem.help("add --format gguf, or choose f32, bf16 or f16")));
        }
    };
    let model = match options.format {
        Format::Gguf => Some(gguf::Whole::of(&given, packing)?),
        Format::Hf => None,
    };
    let said = given.say(model.as_ref().and_then(gguf::Whole::within))?;
    let mut manifest = given.manifest(what, packing);
    manifest.format = if model.is_some() { "gguf" } else { "hf" }.to_owned();
    if what == Exported::Model {
        manifest.quantization = given.quantized(&said)?;
    }
    manifest.notes.extend(model.as_ref().and_then(|model| model.note()));
    let name = given.name.clone();
    let mut commands = Vec::new();
    files::write_folder(to, |dir| {
        match (&model, adapter) {
            (Some(model), _) => {
                let file = model.write(dir, &given)?;
                commands = modelfile::commands(to, &file, &name, model.vocab());
                manifest.file = Some(file.clone());
                let text = modelfile::text(&file, model.vocab(), &given.stops());
                files::write_bytes(&dir.join("Modelfile"), text.as_bytes())?;
            }
            (None, Some(run)) => hf::adapter(run, dir, options.dtype.map(|_| float))?,
            (None, None) => hf::model(&given, dir, float, options.shard)?,
        }
        files::write_bytes(&dir.join("README.md"), card::text(&given, &manifest)?.as_bytes())?;
        manifest.list(dir)?;
        proof::prove(given, &said, dir, &mut manifest)?;
        manifest.write(dir)
    })
    .inspect_err(|_| {
        // Nothing that failed its proof stays; what cannot be removed has another name.
        let _ = files::recover(to);
    })?;
    Ok(Report { what, manifest, commands })
}

/// The absolute path of a folder that is to be made.
fn free(to: &Path) -> Result<PathBuf> {
    let occupied = fs::read_dir(to).map_or_else(|_| to.exists(), |mut entries| entries.next().is_some());
    if occupied {
        let problem = Problem::new(format!("{} is there already", to.display())).key("--to");
        return Err(Error::invalid(problem.help("give a new folder's name, or remove this one first")));
    }
    let to = std::path::absolute(to).map_err(|e| Error::io("find", to, e))?;
    to.parent().map_or(Ok(()), files::create_dir)?;
    Ok(to)
}
