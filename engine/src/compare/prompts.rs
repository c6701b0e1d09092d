//! Prompts from a file.

use framework_base::{Error, Place, Problem, Result};
use serde_json::Value;
use std::path::Path;

/// A prompt and, maybe, what is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prompt {
    pub text: String,
    pub reference: Option<String>,
}

const PROMPT: [&str; 2] = ["prompt", "instruction"];
const REFERENCE: [&str; 2] = ["reference", "output"];

/// Reads a file with a prompt on each line, or with a JSON object on each: `{"prompt": …, "reference": …}`.
///
/// # Errors
/// The file cannot be read, has no prompt, or a line is wrong.
pub(super) fn read(file: &Path) -> Result<Vec<Prompt>> {
    let help = "It holds a prompt on each line, or JSON lines: {\"prompt\": \"…\", \"reference\": \"…\"}.";
    let wrong = |message: String| Error::invalid(Problem::new(message).key("--prompts").help(help));
    let text = std::fs::read_to_string(file).map_err(|e| wrong(format!("cannot read {}: {e}", file.display())))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let is_json = lines.clone().all(|(_, line)| line.trim_start().starts_with('{'));
    let prompt = |(i, line): (usize, &str)| {
        if !is_json {
            return Ok(Prompt { text: line.to_owned(), reference: None });
        }
        of_json(line).map_err(|why| {
            let place = Some(Place { file: file.to_owned(), position: Some((i + 1, 1)) });
            Error::invalid(Problem { place, ..Problem::new(why) }.help(help))
        })
    };
    let prompts = lines.map(prompt).collect::<Result<Vec<_>>>()?;
    if prompts.is_empty() { Err(wrong(format!("there is no prompt in {}", file.display()))) } else { Ok(prompts) }
}

fn of_json(line: &str) -> Result<Prompt, String> {
    let value: Value = serde_json::from_str(line).map_err(|e| format!("the line is not JSON: {e}"))?;
    let text = |names: [&str; 2]| names.iter().find_map(|name| value[*name].as_str().map(str::to_owned));
    let prompt = text(PROMPT).ok_or("the object has no text `prompt`")?;
    Ok(Prompt { text: prompt, reference: text(REFERENCE) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Prompt>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path())
    }

    #[test]
    fn lines_are_prompts() {
        let prompt =
            |text: &str, reference: Option<&str>| Prompt { text: text.into(), reference: reference.map(str::to_owned) };
        assert_eq!(read_text("a\n\n{b}\n").unwrap(), [prompt("a", None), prompt("{b}", None)]);
        let json = "{\"prompt\": \"a\", \"reference\": \"x\"}\n{\"instruction\": \"b\"}\n";
        assert_eq!(read_text(json).unwrap(), [prompt("a", Some("x")), prompt("b", None)]);
        assert!(read_text("\n").unwrap_err().to_string().contains("there is no prompt in "));
        let e = read_text("{\"prompt\": \"a\"}\n{\"text\": \"b\"}\n").unwrap_err().to_string();
        assert!(e.contains(":2:1: the object has no text `prompt`"), "{e}");
    }
}
