use crate::cli::Cli;
use clap::CommandFactory;
use framework_engine::{Error, Result, files};
use std::{path::PathBuf, process::ExitCode};

/// Print the manual page: framework man | man -l -
#[derive(clap::Args)]
pub struct Manual {
    /// Write a page for each command into this folder instead, as framework.1, framework-train.1, …
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

impl Manual {
    pub fn run(&self) -> Result<ExitCode> {
        let command = Cli::command();
        let Some(folder) = &self.to else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).map_err(|e| Error::failed(e.to_string()))?;
            print!("{}", String::from_utf8_lossy(&page));
            return Ok(ExitCode::SUCCESS);
        };
        files::create_dir(folder)?;
        clap_mangen::generate_to(command, folder).map_err(|e| Error::io("write into", folder, e))?;
        println!(
            "wrote the manual pages into {}; read one: man -l {}",
            folder.display(),
            folder.join("framework.1").display()
        );
        Ok(ExitCode::SUCCESS)
    }
}
