//! The recipe as users meet it: what they write, and what they are told.

mod catalog;
mod errors;
mod files;
mod filling;
mod hints;
mod overrides;
mod reference;

use super::{Recipe, parse};
pub(crate) use catalog::Fake;
use std::path::Path;

/// A folder with a recipe, a model, a tokenizer and a data file; dropped with the test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(recipe: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write("r.toml", recipe);
        folder.write("base/config.json", "{}");
        folder.write("data.csv", "");
        folder.write("tokenizer.json", "{}");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, overrides: &[&str]) -> framework_base::Result<Recipe> {
        let overrides: Vec<_> = overrides.iter().map(ToString::to_string).collect();
        parse(&self.path("r.toml"), &overrides)?.resolve(&Fake)
    }

    /// What the user reads, with the folder's name taken out.
    fn problems(&self, overrides: &[&str]) -> String {
        let text = match self.load(overrides) {
            Ok(_) => "fine".to_owned(),
            Err(e) => e.to_string(),
        };
        text.replace(&format!("{}/", self.0.path().display()), "").replace(&self.0.path().display().to_string(), ".")
    }
}

/// What is wrong with a recipe that is otherwise complete.
fn problems(recipe: &str) -> String {
    Folder::new(recipe).problems(&[])
}

/// A recipe that is fine.
const GOOD: &str = r#"
[model]
plugin = "pythia"
weights = "base"

[[dataset]]
plugin = "csv"
path = "data.csv"
"#;

fn good() -> Recipe {
    Folder::new(GOOD).load(&[]).unwrap()
}

fn is_below(path: &Path, folder: &Folder) -> bool {
    path.is_absolute() && path.starts_with(folder.0.path())
}
