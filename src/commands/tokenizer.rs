use framework_engine::{
    Error, PluginSources, Problem, Result, Session, Texts,
    recipe::{TokenizerKind, TokenizerTraining},
    train_tokenizer,
};
use std::{path::PathBuf, process::ExitCode};

/// Work with tokenizers.
#[derive(clap::Args)]
pub struct Tokenizer {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Train(Train),
}

/// Train a tokenizer on text files or on a recipe's data, as a folder that transformers' AutoTokenizer loads.
#[derive(clap::Args)]
struct Train {
    /// Text files.
    #[arg(required_unless_present = "recipe", conflicts_with = "recipe")]
    files: Vec<PathBuf>,
    /// Train on this recipe's records; settings that are not given are taken from its `tokenizer.train`.
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// Override a key of the recipe; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", requires = "recipe")]
    set: Vec<String>,
    /// Kind of tokenizer.
    #[arg(long, value_enum, required_unless_present = "recipe")]
    kind: Option<Kind>,
    /// Maximum number of tokens, including special tokens.
    #[arg(long, required_unless_present = "recipe")]
    vocab_size: Option<usize>,
    /// Number of times that a pair or character must occur. Default: 1.
    #[arg(long, value_name = "COUNT")]
    min_frequency: Option<usize>,
    /// Convert all text to lower case and remove accents; wordpiece only.
    #[arg(long)]
    lowercase: bool,
    /// A special token in addition to those of the kind; may be given several times.
    #[arg(long = "special-token", value_name = "TOKEN")]
    special_tokens: Vec<String>,
    /// The folder for the tokenizer.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// Byte-pair encoding on bytes, as in GPT-2.
    ByteLevelBpe,
    /// Word pieces, as in BERT.
    Wordpiece,
    /// Pieces chosen to maximize the likelihood of the texts.
    Unigram,
    /// One token per character.
    Character,
}

impl From<Kind> for TokenizerKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::ByteLevelBpe => Self::ByteLevelBpe,
            Kind::Wordpiece => Self::WordPiece,
            Kind::Unigram => Self::Unigram,
            Kind::Character => Self::Character,
        }
    }
}

impl Tokenizer {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        match &self.command {
            Command::Train(command) => command.run(sources),
        }
    }
}

impl Train {
    fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        if self.to.join("tokenizer.json").exists() {
            let problem = Problem::new(format!("`--to`: {} has a tokenizer already", self.to.display()));
            return Err(Error::invalid(problem.help("give another folder, or remove this one")));
        }
        let session = self.recipe.as_ref().map(|path| Session::open(path, &self.set, sources)).transpose()?;
        let training = self.training(session.as_ref())?;
        let texts = session.as_ref().map_or(Texts::Files(&self.files), Texts::Recipe);
        let tokenizer = train_tokenizer(&training, &texts)?;
        tokenizer.save(&self.to)?;
        let name = |id| tokenizer.token(id).unwrap_or_default();
        let (end, pad) = (name(tokenizer.end()), name(tokenizer.pad));
        println!("{}: {} tokens; {end} ends, {pad} pads", self.to.display(), tokenizer.vocab_size());
        Ok(ExitCode::SUCCESS)
    }

    /// The arguments, over what the recipe says.
    fn training(&self, session: Option<&Session>) -> Result<TokenizerTraining> {
        let recipe = session.and_then(|session| session.recipe.tokenizer.train.as_ref());
        let kind = self.kind.map(Into::into).or(recipe.map(|training| training.kind));
        let size = self.vocab_size.or(recipe.map(|training| training.vocab_size));
        let (Some(kind), Some(size)) = (kind, size) else {
            let problem = Problem::new("the recipe has no `tokenizer.train`");
            return Err(Error::invalid(problem.help("give `--kind` and `--vocab-size`")));
        };
        let mut training = recipe.cloned().unwrap_or_else(|| TokenizerTraining::new(kind, size));
        (training.kind, training.vocab_size) = (kind, size);
        training.lowercase |= self.lowercase;
        training.special_tokens.extend(self.special_tokens.iter().cloned());
        training.min_frequency = self.min_frequency.unwrap_or(training.min_frequency);
        Ok(training)
    }
}
