//! The teacher of a distillation: a network beside the student's.

use crate::{
    build::{self, Placement},
    run::RunFolder,
    session::Session,
    trained,
};
use framework_base::{Error, Float, Problem, Result};
use framework_executor::Network;
use framework_hub::{self as hub, Use};
use framework_recipe::{Frozen, Recipe};
use framework_text::{data::Corpus, tokenizer::Tokenizer};
use framework_weights::{ModelFolder, TensorInfo, expect_weights, format_of};
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// The recipe's own model without its adapter.
pub(super) const BASE: &str = "base";

/// The teacher's folder; none if there is none, or if it is the student's own model or a file.
pub(crate) fn folder(recipe: &Recipe) -> Option<&Path> {
    recipe.objective.teacher.as_deref().filter(|teacher| *teacher != Path::new(BASE) && !teacher.is_file())
}

/// What an earlier run's teacher said of the same examples.
pub(super) fn file(recipe: &Recipe) -> Option<&Path> {
    recipe.objective.teacher.as_deref().filter(|teacher| teacher.is_file())
}

/// The run that a teacher's folder is, if it is no model's.
fn run(folder: &Path) -> Result<Option<RunFolder>> {
    folder.join("recipe.toml").exists().then(|| RunFolder::open(folder)).transpose()
}

/// Loads the teacher beside the student.
pub(crate) fn load(session: &Session, place: &Placement) -> Result<Option<Arc<Network>>> {
    let Some(folder) = folder(&session.recipe) else { return Ok(None) };
    // It is only looked at: 16-bit weights stay as they are in the folder.
    let place = Placement { frozen: place.frozen.or(Some(Frozen::Stored)), ..place.clone() };
    let network = match run(folder)? {
        Some(run) => trained::trained(&run, &session.beside(&run.recipe())?, place),
        None => hub::complete(folder, Use::Model)
            .and_then(|()| build::from_folders_without(&session.registry, folder, None, place, &[])),
    };
    network.map(Some).map_err(|e| e.about("objective.teacher"))
}

/// Refuses a teacher that reads no sequences of the data's length.
pub(crate) fn fits(session: &Session, teacher: &Network, corpus: &Corpus) -> Result<()> {
    let longest = corpus.train.iter().map(|sequence| sequence.len()).max().unwrap_or(0);
    let Some(most) = teacher.spec().max_positions.filter(|most| *most < longest) else { return Ok(()) };
    let folder = folder(&session.recipe).unwrap_or(Path::new(BASE)).display();
    let message = format!("the teacher in {folder} reads {most} tokens at most, and the longest example has {longest}");
    let help = format!("set `prompt.max_length` to {most}, or choose another teacher");
    Err(Error::invalid(Problem::new(message).key("objective.teacher").help(help)))
}

/// What the teacher's weights take while the student is trained, in bytes.
pub(crate) fn bytes(session: &Session) -> Result<u64> {
    let recipe = &session.recipe;
    let Some(folder) = folder(recipe).filter(|_| recipe.objective.top_k.is_none()) else { return Ok(0) };
    let weights = match run(folder)? {
        Some(run) if run.model().is_dir() => Some(run.model()),
        Some(run) => session.beside(&run.recipe())?.recipe.model.weights,
        None => Some(folder.to_owned()),
    };
    let Some(weights) = weights.filter(|folder| expect_weights(folder).is_ok()) else { return Ok(0) };
    let model = ModelFolder::open(&weights)?;
    let frozen = recipe.backend.frozen.unwrap_or(Frozen::Stored);
    let of = |name: &str| model.info(name).map_or(0, |info| stored(frozen, info));
    Ok(model.names().map(of).sum())
}

/// What a tensor takes, as frozen weights are kept.
fn stored(frozen: Frozen, info: &TensorInfo) -> u64 {
    let numbers = info.shape.iter().product::<usize>() as u64;
    let as_stored = numbers * format_of(info.dtype).map_or(4, Float::size) as u64;
    match frozen {
        Frozen::F32 => 4 * numbers,
        Frozen::Bf16 | Frozen::F16 => 2 * numbers,
        Frozen::Int8 if info.shape.len() == 2 => numbers,
        // 4 bits and a scale of 32 for each block of 64.
        Frozen::Nf4 | Frozen::Fp4 if info.shape.len() == 2 => numbers * 9 / 16,
        _ => as_stored,
    }
}

/// Refuses a teacher whose tokens of the data are others than the student's.
pub(crate) fn check(session: &Session, tokenizer: &Tokenizer, corpus: &Corpus) -> Result<()> {
    let Some(folder) = folder(&session.recipe) else { return Ok(()) };
    let theirs = match run(folder)? {
        Some(run) => trained::tokenizer(&run, &session.beside(&run.recipe())?)?,
        None if !folder.join("tokenizer.json").is_file() => {
            tracing::warn!(
                "{} has no tokenizer.json: whether the teacher's tokens are the student's is not known",
                folder.display()
            );
            return Ok(());
        }
        None => Tokenizer::load(folder).map_err(|e| e.about("objective.teacher"))?,
    };
    if theirs.fingerprint() == tokenizer.fingerprint() {
        return Ok(());
    }
    let sequences = corpus.train.iter().chain(&corpus.validation);
    let used: BTreeSet<u32> = sequences.flat_map(|sequence| sequence.ids.iter().copied()).collect();
    let other = |id: &u32| theirs.token(*id) != tokenizer.token(*id);
    let Some(id) = used.into_iter().find(other) else { return Ok(()) };
    let named = |token: Option<String>| token.map_or("no token".to_owned(), |token| format!("`{token}`"));
    let message = format!(
        "the teacher in {} has another tokenizer: number {id} is {} there and {} here",
        folder.display(),
        named(theirs.token(id)),
        named(tokenizer.token(id))
    );
    let help = "Distillation compares distributions over the same tokens: choose a teacher of the student's family, or \
                train the student's `model.config` with `tokenizer.path` set to the teacher's.";
    Err(Error::invalid(Problem::new(message).key("objective.teacher").help(help)))
}
