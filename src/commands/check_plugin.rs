use framework_core::conformance;
use framework_engine::{Error, Problem, Result, numeric};
use framework_registry::{
    Entry, Registry,
    check::{PluginReport, Report, TIME_LIMIT, check_entry},
};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Load a dynamic library and test every plugin in it.
#[derive(clap::Args)]
pub struct CheckPlugin {
    /// The library.
    library: PathBuf,
    /// A Hugging Face folder of an architecture in the library, whose logits are compared with `--reference`.
    #[arg(long, value_name = "FOLDER", requires = "reference")]
    model: Option<PathBuf>,
    /// A safetensors file with `input_ids` and the `logits` that transformers computes for them.
    #[arg(long, value_name = "FILE", requires = "model")]
    reference: Option<PathBuf>,
    /// Time limit for the checks of each plugin, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = TIME_LIMIT.as_secs())]
    time_limit: u64,
    /// Keys of the folder's configuration to ignore: `model.ignore_keys=["KEY"]`.
    #[arg(long, value_name = "KEY=VALUE", requires = "model")]
    set: Option<String>,
}

impl CheckPlugin {
    pub fn run(&self) -> Result<ExitCode> {
        let registry = Registry::from_libraries(std::slice::from_ref(&self.library));
        let registry = registry.map_err(|e| Error::failed(e.to_string()))?;
        let limit = Duration::from_secs(self.time_limit);
        let checks = |entry: &Entry| {
            let mut findings = conformance::check(&entry.about, &entry.build, &entry.label());
            findings.extend(numeric::check(entry));
            findings
        };
        let mut report = Report { plugins: registry.list(None).map(|e| check_entry(e, limit, checks)).collect() };
        if let (Some(folder), Some(reference)) = (&self.model, &self.reference) {
            let finding = numeric::parity(&registry, folder, &self.ignored()?, reference)?;
            let plugin = format!("{}", folder.display());
            report.plugins.push(PluginReport { plugin, version: "of its folder".into(), findings: vec![finding] });
        }
        println!("{report}");
        Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn ignored(&self) -> Result<Vec<String>> {
        let Some(set) = &self.set else { return Ok(Vec::new()) };
        let keys = set.split_once('=').filter(|(key, _)| key.trim() == "model.ignore_keys");
        keys.and_then(|(_, keys)| serde_json::from_str(keys).ok()).ok_or_else(|| {
            let message = format!("--set {set}: only `model.ignore_keys=[\"KEY\", …]` can be set here");
            Error::invalid(Problem::new(message))
        })
    }
}
