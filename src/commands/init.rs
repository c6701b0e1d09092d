use framework_engine::{Error, Problem, Result};
use std::process::ExitCode;

/// Recipes to begin with, by name.
const RECIPES: [(&str, &str); 2] =
    [("lora", include_str!("recipes/lora.toml")), ("scratch", include_str!("recipes/scratch.toml"))];

/// Print a commented recipe to begin with: framework init > my-recipe.toml
#[derive(clap::Args)]
pub struct Init {
    /// What to begin with: lora, or scratch.
    #[arg(long, default_value = "lora")]
    like: String,
}

impl Init {
    pub fn run(&self) -> Result<ExitCode> {
        let Some((_, text)) = RECIPES.iter().find(|(name, _)| *name == self.like) else {
            let names: Vec<_> = RECIPES.iter().map(|(name, _)| *name).collect();
            let message = format!("there is no recipe `{}` to begin with; there are: {}", self.like, names.join(", "));
            return Err(Error::invalid(Problem::new(message).key("--like")));
        };
        print!("{text}");
        Ok(ExitCode::SUCCESS)
    }
}
