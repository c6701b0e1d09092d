//! What `init --like` writes: recipes with their data and a base model.

use framework_engine::{Error, Problem, Result};
use std::{borrow::Cow, fs, path::Path};

/// A recipe that runs as it is.
pub struct Sample {
    pub name: &'static str,
    pub summary: &'static str,
    recipe: &'static str,
    data: &'static [(&'static str, &'static [u8])],
    /// Whether it starts from the base model.
    base: bool,
}

const HANDBOOK: (&str, &[u8]) = ("data/handbook.csv", include_bytes!("../../../recipes/data/handbook.csv"));

pub const SAMPLES: [Sample; 5] = [
    Sample {
        name: "quickstart",
        summary: "LoRA on questions and answers (CSV), one to three minutes on 2 cores",
        recipe: include_str!("../../../recipes/quickstart.toml"),
        data: &[HANDBOOK],
        base: true,
    },
    Sample {
        name: "chat",
        summary: "LoRA on conversations (JSON lines), a template that keeps the turns",
        recipe: include_str!("../recipes/chat.toml"),
        data: &[("data/handbook_chats.jsonl", include_bytes!("../../../recipes/data/handbook_chats.jsonl"))],
        base: true,
    },
    Sample {
        name: "poems",
        summary: "a small model and its tokenizer from scratch, on Chinese poems",
        recipe: include_str!("../recipes/poems.toml"),
        data: &[("data/poems_sample.json", include_bytes!("../../../recipes/data/poems_sample.json"))],
        base: false,
    },
    Sample {
        name: "continue",
        summary: "continued pretraining on running text",
        recipe: include_str!("../recipes/continue.toml"),
        data: &[("data/handbook.txt", include_bytes!("../../../recipes/data/handbook.txt"))],
        base: true,
    },
    Sample {
        name: "full",
        summary: "full fine-tuning on questions and answers: every parameter is trained",
        recipe: include_str!("../recipes/full.toml"),
        data: &[HANDBOOK],
        base: true,
    },
];

macro_rules! base {
    ($($file:literal),*) => {
        &[$((concat!("base/", $file), include_bytes!(concat!("../../../recipes/quickstart-base/", $file)))),*]
    };
}

/// The small base model that the recipes start from.
const BASE: &[(&str, &[u8])] =
    base!["config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"];

impl Sample {
    /// The recipe for a folder that holds everything it names.
    fn recipe(&self, folder: &Path) -> String {
        // What stands above the first key speaks of the repository's folders.
        let keys = self.recipe.find("\nname = ").map_or(self.recipe, |at| &self.recipe[at + 1..]);
        let comment = match self.recipe.starts_with("# LoRA on a small base model") {
            true => "# LoRA on a small base model: the handbook of an invented company.\n\n",
            false => &self.recipe[..self.recipe.len() - keys.len()],
        };
        let (recipe, name) = (folder.join(self.recipe_file()), self.name);
        let recipe = recipe.display();
        let use_it = if matches!(name, "poems" | "continue") { "generate" } else { "chat" };
        let commands = format!("#   framework train {recipe}\n#   framework {use_it} runs/{name}\n#\n");
        format!("{commands}{comment}{}", keys.replace("\"quickstart-base\"", "\"base\""))
    }

    /// The recipe's file. Not `recipe.toml`, by which a run's folder is known.
    pub fn recipe_file(&self) -> String {
        format!("{}.toml", self.name)
    }

    /// Writes recipe, data and base model; nothing, if one of the files is there.
    pub fn write(&self, folder: &Path) -> Result<Vec<String>> {
        let recipe = self.recipe(folder);
        let base = if self.base { BASE } else { &[] };
        let mut files = vec![(self.recipe_file(), Cow::from(recipe.as_bytes()))];
        files.extend(self.data.iter().chain(base).map(|(name, bytes)| ((*name).to_owned(), Cow::from(*bytes))));
        if let Some((name, _)) = files.iter().find(|(name, _)| folder.join(name).exists()) {
            let message = format!("{} is there already; nothing was written", folder.join(name).display());
            let help = "Name a folder that does not exist, or one without these files.";
            return Err(Error::invalid(Problem::new(message).key("--like").help(help)));
        }
        for (name, bytes) in &files {
            let path = folder.join(name);
            let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes));
            made.map_err(|e| Error::io("write", &path, e))?;
        }
        Ok(files.into_iter().map(|(name, _)| name).collect())
    }
}
