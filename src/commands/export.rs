use framework_engine::{
    PluginSources, Result,
    export::{Exported, Options, export, fold},
    recipe::SaveDtype,
};
use std::{path::PathBuf, process::ExitCode};

/// Write what a run has trained into a folder that transformers and PEFT load.
#[derive(clap::Args)]
pub struct Export {
    /// A run's folder.
    #[arg(required_unless_present = "model", conflicts_with = "model")]
    run: Option<PathBuf>,
    /// Without a run: the model folder that --adapter is folded into; needs --merge.
    #[arg(long, requires_all = ["adapter", "merge"])]
    model: Option<PathBuf>,
    /// A PEFT adapter folder for the model.
    #[arg(long, requires = "model")]
    adapter: Option<PathBuf>,
    /// The folder to make.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Fold the adapter into the base model and write the whole model.
    #[arg(long)]
    merge: bool,
    /// Number format of the weights. Default: that in which the base model, or what was trained, is stored.
    #[arg(long, value_enum)]
    dtype: Option<Dtype>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Dtype {
    /// 32-bit.
    #[value(aliases = ["fp32", "float32"])]
    F32,
    /// 16-bit with f32's range.
    #[value(alias = "bfloat16")]
    Bf16,
    /// 16-bit, IEEE 754.
    #[value(aliases = ["fp16", "float16"])]
    F16,
}

impl Export {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let dtype = self.dtype.map(|dtype| match dtype {
            Dtype::F32 => SaveDtype::F32,
            Dtype::Bf16 => SaveDtype::Bf16,
            Dtype::F16 => SaveDtype::F16,
        });
        let options = Options { merge: self.merge, dtype, ..Options::default() };
        if let (Some(model), Some(adapter)) = (&self.model, &self.adapter) {
            fold(model, adapter, &self.to, &options, sources)?;
            println!("model saved in {}", self.to.display());
            return Ok(ExitCode::SUCCESS);
        }
        let run = self.run.as_deref().unwrap_or(std::path::Path::new("."));
        let what = match export(run, &self.to, &options, sources)? {
            Exported::Adapter => "adapter",
            Exported::Model => "model",
        };
        println!("{what} saved in {}", self.to.display());
        Ok(ExitCode::SUCCESS)
    }
}
