//! What uses a GGUF file: Ollama's `Modelfile`, and command lines.

use super::vocab::GgmlVocab;
use std::path::Path;

/// Ollama's `Modelfile`. Its templates are Go's, into which Jinja cannot be turned: Ollama is left to recognise the chat
/// template in the GGUF file. `stops` are the tokens at which the run's answers end.
pub(super) fn text(file: &str, vocab: &GgmlVocab, stops: &[u32]) -> String {
    let mut text = format!("FROM ./{file}\n\n");
    text += match vocab.chat_template {
        Some(_) => {
            "# The chat template is in the GGUF file. Where Ollama does not recognise it, it gives prompts as they are:\n\
             # `ollama show NAME --template` says which; then write a TEMPLATE here.\n"
        }
        None => {
            "# The model was trained without a chat template: prompts are given as they are.\nTEMPLATE {{ .Prompt }}\n"
        }
    };
    for id in stops {
        if let Some(token) = vocab.tokens.get(*id as usize) {
            text += &format!("PARAMETER stop {}\n", quoted(token));
        }
    }
    text
}

/// Command lines for llama.cpp and Ollama.
pub(super) fn commands(folder: &Path, file: &str, name: &str, vocab: &GgmlVocab) -> Vec<String> {
    let shown = std::env::current_dir().ok().and_then(|here| folder.strip_prefix(here).ok().map(Path::to_owned));
    let folder = shown.unwrap_or_else(|| folder.to_owned());
    let talk = match vocab.chat_template {
        Some(_) => "--conversation",
        None => "--no-conversation --prompt \"…\"",
    };
    let word = |path: &Path| {
        let path = path.display().to_string();
        if path.contains([' ', '\'', '"', '$']) { format!("'{}'", path.replace('\'', "'\\''")) } else { path }
    };
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    vec![
        format!("llama-cli --model {} {talk}", word(&folder.join(file))),
        format!("ollama create {} --file {}", name.to_lowercase(), word(&folder.join("Modelfile"))),
    ]
}

/// A text as a Modelfile takes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_token_is_a_stop() {
        let vocab = GgmlVocab {
            tokens: vec!["<|im_end|>".into(), "a \"b\"".into()],
            ends: vec![1, 0],
            chat_template: Some("x".into()),
            ..GgmlVocab::default()
        };
        let text = text("m.gguf", &vocab, &[1, 0]);
        assert!(text.starts_with("FROM ./m.gguf\n"), "{text}");
        assert!(text.ends_with("PARAMETER stop \"a \\\"b\\\"\"\nPARAMETER stop \"<|im_end|>\"\n"), "{text}");
        let lines = commands(Path::new("/out/my model"), "m.gguf", "My Model", &vocab);
        assert_eq!(lines[0], "llama-cli --model '/out/my model/m.gguf' --conversation");
        assert_eq!(lines[1], "ollama create my-model --file '/out/my model/Modelfile'");
    }
}
