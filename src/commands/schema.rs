use crate::cli::print_json;
use framework_engine::{Error, PluginSources, Result, files, recipe};
use std::{path::PathBuf, process::ExitCode};

/// Print the JSON Schema of a recipe with all plugins, for completion and checks in an editor.
///
/// A recipe that begins with the line `#:schema ./recipe.schema.json` uses the schema of that file in editors with Taplo,
/// such as Even Better TOML for VS Code.
#[derive(clap::Args)]
pub struct Schema {
    /// Add the plugins of the libraries that this recipe names.
    recipe: Option<PathBuf>,
    /// Write it to this file, replacing an earlier one.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Schema {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let libraries = match &self.recipe {
            Some(path) => recipe::parse(path, &[])?.plugins()?,
            None => Vec::new(),
        };
        let registry = sources.open(&libraries)?;
        let plugins: Vec<_> = registry.list(None).map(|entry| &entry.about).collect();
        let schema = recipe::json_schema(&plugins);
        let Some(to) = &self.to else { return print_json(&schema) };
        let text = serde_json::to_string_pretty(&schema).map_err(|e| Error::failed(e.to_string()))?;
        files::write_bytes(to, format!("{text}\n").as_bytes())?;
        println!("wrote {}", to.display());
        Ok(ExitCode::SUCCESS)
    }
}
