mod data;
mod samples;

use framework_engine::{Error, PluginSources, Problem, Result};
use samples::SAMPLES;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Recipes that are printed, with values to fill in.
const PRINTED: [(&str, &str, &str); 2] = [
    ("lora", "LoRA on a table of instructions and answers", include_str!("recipes/lora.toml")),
    ("scratch", "a small model and its tokenizer from scratch, on a text", include_str!("recipes/scratch.toml")),
];

/// Get started: print a commented recipe, write one that runs immediately (--like), or one for your own data (--data).
#[derive(clap::Args)]
pub struct Init {
    /// With --like: the folder for the recipe, data and base model. With --data: the recipe file; without it, the
    /// recipe is printed.
    #[arg(value_name = "TO")]
    to: Option<PathBuf>,
    /// The sample to start from; --list lists the names.
    #[arg(long, value_name = "NAME", conflicts_with = "data")]
    like: Option<String>,
    /// A file with your data: CSV, JSON, JSON lines, Parquet, XLSX or text.
    #[arg(long, value_name = "FILE", requires = "model")]
    data: Option<PathBuf>,
    /// The base model: a folder, or an id on the hub.
    #[arg(long, value_name = "MODEL", requires = "data")]
    model: Option<PathBuf>,
    /// The column or field that holds the instruction, if its name is not recognised.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    instruction: Option<String>,
    /// The column or field that holds the answer, if its name is not recognised.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    output: Option<String>,
    /// List the samples.
    #[arg(long, conflicts_with_all = ["like", "data", "to"])]
    list: bool,
}

impl Init {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        match (&self.data, &self.model, &self.like) {
            _ if self.list => list(),
            (Some(data), Some(model), _) => self.for_data(data, model, sources)?,
            (.., Some(name)) => self.like(name)?,
            _ => match &self.to {
                Some(to) => {
                    let message = format!("what is to be written into {}?", to.display());
                    let help =
                        "Say --like NAME (`framework init --list` lists the names) or --data FILE --model MODEL.";
                    return Err(Error::invalid(Problem::new(message).help(help)));
                }
                None => self.like("lora")?,
            },
        }
        Ok(ExitCode::SUCCESS)
    }

    fn like(&self, name: &str) -> Result<()> {
        if let Some((.., text)) = PRINTED.iter().find(|(printed, ..)| *printed == name) {
            if let Some(to) = &self.to {
                write_new(to, text)?;
                println!("wrote {}; values to fill in are marked FILL IN", to.display());
                return Ok(());
            }
            print!("{text}");
            eprintln!(
                "note: values to fill in are marked FILL IN; `framework init --list` lists recipes that run at once"
            );
            return Ok(());
        }
        let Some(sample) = SAMPLES.iter().find(|sample| sample.name == name) else {
            let names: Vec<_> = SAMPLES.iter().map(|s| s.name).chain(PRINTED.iter().map(|(name, ..)| *name)).collect();
            let message = format!("there is no recipe `{name}` to begin with; there are: {}", names.join(", "));
            return Err(Error::invalid(Problem::new(message).key("--like")));
        };
        let Some(folder) = &self.to else {
            let problem = Problem::new(format!("`{name}` comes with data, and needs a folder to be written into"));
            let help = format!("framework init --like {name} DIR");
            return Err(Error::invalid(problem.key("--like").help(help)));
        };
        let files = sample.write(folder)?;
        let recipe = folder.join(sample.recipe_file());
        println!("wrote {} files into {}: {}", files.len(), folder.display(), files.join(", "));
        println!("next: framework train {}", recipe.display());
        Ok(())
    }

    fn for_data(&self, file: &Path, model: &Path, sources: &PluginSources) -> Result<()> {
        let registry = sources.open(&[])?;
        let named = data::Named { instruction: self.instruction.clone(), output: self.output.clone() };
        let (dataset, model) = Error::both(data::dataset(file, &named, &registry), data::model(model, &registry))?;
        let name = self.to.as_deref().unwrap_or(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = self.to.as_deref().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
        let text = data::recipe(&name, file, &dataset, &model, folder.unwrap_or(Path::new(".")));
        match &self.to {
            Some(to) => {
                write_new(to, &text)?;
                println!("wrote {}\nnext: framework check {}", to.display(), to.display());
            }
            None => print!("{text}"),
        }
        Ok(())
    }
}

/// What there is to begin with, each with a summary.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let printed = PRINTED.iter().map(|(name, summary, _)| (*name, *summary));
    SAMPLES.iter().map(|sample| (sample.name, sample.summary)).chain(printed)
}

fn list() {
    println!("with data and a base model, to run at once: framework init --like NAME DIR");
    for sample in &SAMPLES {
        println!("  {:<12}{}", sample.name, sample.summary);
    }
    println!("printed, with values to fill in: framework init --like NAME");
    for (name, summary, _) in PRINTED {
        println!("  {name:<12}{summary}");
    }
    println!("for your own data: framework init --data FILE --model MODEL");
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> Result<()> {
    if path.exists() {
        let help = "Name a file that does not exist.";
        return Err(Error::invalid(Problem::new(format!("{} is there already", path.display())).help(help)));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|e| Error::io("make", folder, e))?;
    }
    fs::write(path, text).map_err(|e| Error::io("write", path, e))
}
