use framework_engine::{
    Float, PluginSources, Result,
    export::{Exported, Format, Options, Report, export, fold},
    weights::gguf::Packing,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Export the result of a run, or a model folder: a folder for transformers and PEFT, or a GGUF file for llama.cpp and
/// Ollama. The export is read back and compared with the run; its `export.json` contains the findings.
#[derive(clap::Args)]
pub struct Export {
    /// A run's folder.
    #[arg(required_unless_present = "model", conflicts_with = "model")]
    run: Option<PathBuf>,
    /// Without a run: a model folder, or an id on the hub.
    #[arg(long)]
    model: Option<PathBuf>,
    /// A PEFT adapter folder to merge into the model; needs --merge or --format gguf.
    #[arg(long, requires = "model")]
    adapter: Option<PathBuf>,
    /// The folder to create.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Merge the adapter into the base model and write the whole model; always done for GGUF.
    #[arg(long)]
    merge: bool,
    /// What to write.
    #[arg(long, value_enum, default_value = "hf")]
    format: Kind,
    /// Number format of the weights. Default: the format of the base model's files, or of the trained weights.
    #[arg(long, value_enum)]
    dtype: Option<Dtype>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// A Hugging Face folder.
    Hf,
    /// A GGUF file, a Modelfile for Ollama, and the command lines that use them.
    Gguf,
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
    /// 8-bit with a scale per 32 numbers; GGUF only.
    #[value(name = "q8_0", aliases = ["q8-0", "q8"])]
    Q8,
}

impl Export {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let dtype = self.dtype.map(|dtype| match dtype {
            Dtype::F32 => Packing::Float(Float::F32),
            Dtype::Bf16 => Packing::Float(Float::BF16),
            Dtype::F16 => Packing::Float(Float::F16),
            Dtype::Q8 => Packing::Q8,
        });
        let format = match self.format {
            Kind::Hf => Format::Hf,
            Kind::Gguf => Format::Gguf,
        };
        let options = Options { merge: self.merge, format, dtype, ..Options::default() };
        let report = match &self.model {
            Some(model) => fold(model, self.adapter.as_deref(), &self.to, &options, sources)?,
            None => export(self.run.as_deref().unwrap_or(Path::new(".")), &self.to, &options, sources)?,
        };
        self.tell(&report);
        Ok(ExitCode::SUCCESS)
    }

    fn tell(&self, report: &Report) {
        let what = match report.what {
            Exported::Adapter => "adapter",
            Exported::Model => "model",
        };
        let (manifest, logits) = (&report.manifest, &report.manifest.logits);
        manifest.notes.iter().for_each(|note| eprintln!("note: {note}"));
        if let Some(quantized) = &manifest.quantization {
            let (off, of) = (&quantized.logits, &quantized.frozen);
            eprintln!(
                "note: trained on weights in {of}, merged into the original ones: logits differ from the run's by {:.4} on \
                 average and by at most {:.3} (standard deviation {:.3})",
                off.mean, off.largest, off.spread
            );
        }
        eprintln!(
            "proved: read back, its logits differ from the run's by at most {:.1e} (standard deviation {:.3})",
            logits.largest, logits.spread
        );
        println!("{what} saved in {}", self.to.display());
        report.commands.iter().for_each(|command| println!("{command}"));
    }
}
