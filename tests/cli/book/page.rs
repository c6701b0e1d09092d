//! Reads the pages: their commands, and what the comments before them say.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

/// A page, as far as it is tried.
pub struct Page {
    lines: Vec<String>,
    /// The page that runs before.
    pub after: Option<String>,
    pub actions: Vec<Action>,
}

pub enum Action {
    /// `<!-- file: … -->` and its block.
    Write {
        line: usize,
        file: String,
        text: String,
    },
    /// `<!-- setup: … -->`.
    Setup {
        line: usize,
        commands: Vec<String>,
    },
    Block(Block),
}

/// A block of commands.
#[derive(Default)]
pub struct Block {
    pub commands: Vec<Shown>,
    pub fast: Option<String>,
    /// Exit code of the last command.
    pub fails: i32,
    /// Whether its output is compared.
    pub compared: bool,
}

/// A command as the page shows it.
pub struct Shown {
    pub line: usize,
    pub command: String,
    pub typed: String,
    /// What it prints, if the page shows that.
    pub output: Option<String>,
    /// Where that stands among the page's lines.
    pub output_lines: Range<usize>,
}

/// Another output for a command.
pub struct Update {
    pub lines: Range<usize>,
    pub text: String,
}

/// What comments say about the next block.
#[derive(Default)]
struct Said {
    skip: bool,
    file: Option<String>,
    fast: Option<String>,
    fails: i32,
    output: bool,
}

/// The pages: README.md, and those of docs/src by their paths in it.
pub fn names(root: &Path) -> Vec<String> {
    let mut names: Vec<_> = root.join("README.md").exists().then(|| "README.md".to_owned()).into_iter().collect();
    let book = root.join("docs/src");
    let mut open = vec![book.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false if path.extension().is_some_and(|e| e == "md") => {
                    names.push(path.strip_prefix(&book).unwrap().display().to_string());
                }
                false => {}
            }
        }
    }
    names.sort();
    names
}

pub fn path(root: &Path, name: &str) -> PathBuf {
    if name == "README.md" { root.join(name) } else { root.join("docs/src").join(name) }
}

impl Page {
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
        let mut page = Self { lines: text.lines().map(str::to_owned).collect(), after: None, actions: Vec::new() };
        let (mut at, mut said) = (0, Said::default());
        while at < page.lines.len() {
            let line = page.lines[at].trim_start().to_owned();
            if let Some(info) = line.strip_prefix("```") {
                let end = (at + 1..page.lines.len()).find(|&i| page.lines[i].trim_start().starts_with("```"));
                let end = end.ok_or(format!("line {}: the block does not end", at + 1))?;
                page.fence(info.split([',', ' ']).next().unwrap_or_default(), at + 1..end, std::mem::take(&mut said));
                at = end + 1;
            } else if line.starts_with("<!--") {
                let end = (at..page.lines.len()).find(|&i| page.lines[i].contains("-->"));
                let end = end.ok_or(format!("line {}: the comment does not end", at + 1))?;
                page.comment(at..end + 1, &mut said)?;
                at = end + 1;
            } else {
                at += 1;
            }
        }
        Ok(page)
    }

    fn comment(&mut self, lines: Range<usize>, said: &mut Said) -> Result<(), String> {
        let text = self.lines[lines.clone()].join("\n");
        let text = text.trim().trim_start_matches("<!--").trim_end_matches("-->");
        let Some((key, rest)) = text.split_once(':').filter(|(key, _)| !key.trim().contains(char::is_whitespace))
        else {
            return Ok(());
        };
        let (line, rest) = (lines.start + 1, rest.trim().to_owned());
        let wrong = |what: &str| Err(format!("line {line}: `{}: {rest}`: {what}", key.trim()));
        match key.trim() {
            _ if rest.is_empty() => return wrong("nothing follows the colon"),
            "skip" => said.skip = true,
            "file" => said.file = Some(rest),
            "fast" => said.fast = Some(rest),
            "output" => said.output = true,
            "after" => self.after = Some(rest),
            "fails" => match rest.parse() {
                Ok(code) => said.fails = code,
                Err(_) => return wrong("an exit code is expected"),
            },
            "setup" => {
                let commands = rest.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
                self.actions.push(Action::Setup { line, commands });
            }
            _ => return wrong("there are skip, setup, file, fast, fails, output and after"),
        }
        Ok(())
    }

    fn fence(&mut self, kind: &str, lines: Range<usize>, said: Said) {
        if said.skip {
            return;
        }
        if let Some(file) = said.file {
            let text = self.lines[lines.clone()].iter().map(|line| format!("{line}\n")).collect();
            return self.actions.push(Action::Write { line: lines.start, file, text });
        }
        let commands = match kind {
            "sh" | "bash" | "shell" => self.script(lines),
            "console" => self.session(lines),
            _ => return,
        };
        self.actions.push(Action::Block(Block {
            commands,
            fast: said.fast,
            fails: said.fails,
            compared: !said.output,
        }));
    }

    /// A block's commands, a line each.
    fn script(&self, lines: Range<usize>) -> Vec<Shown> {
        let (mut commands, mut at) = (Vec::new(), lines.start);
        while at < lines.end {
            let (command, end) = self.command(at, lines.end);
            if !command.trim().is_empty() && !command.trim_start().starts_with('#') {
                commands.push(Shown { line: at + 1, command, typed: String::new(), output: None, output_lines: 0..0 });
            }
            at = end;
        }
        commands
    }

    /// The command that begins in a line, and the line behind it.
    fn command(&self, start: usize, end: usize) -> (String, usize) {
        let last = (start..end).find(|&i| !self.lines[i].ends_with('\\')).unwrap_or(end - 1);
        (self.lines[start..=last].join("\n"), last + 1)
    }

    /// A block's commands, with what they print.
    fn session(&self, lines: Range<usize>) -> Vec<Shown> {
        let (mut commands, mut at) = (Vec::new(), lines.start);
        while at < lines.end {
            let (text, after) = self.command(at, lines.end);
            let Some(command) = text.strip_prefix("$ ") else {
                at += 1;
                continue;
            };
            let end = (after..lines.end).find(|&i| self.lines[i].starts_with("$ ")).unwrap_or(lines.end);
            let below = &self.lines[after..end];
            let chats = command.contains("framework chat");
            let is_typed = |line: &&String| chats && (line.starts_with("> ") || *line == ">");
            let typed = below.iter().filter(is_typed).map(|line| format!("{}\n", line[1..].trim_start())).collect();
            let shown = below.iter().filter(|line| !is_typed(line));
            let output = Some(shown.map(|line| format!("{line}\n")).collect()).filter(|_| end > after);
            commands.push(Shown { line: at + 1, command: command.to_owned(), typed, output, output_lines: after..end });
            at = end;
        }
        commands
    }

    /// The page's text with other outputs.
    pub fn updated(&self, updates: &[Update]) -> String {
        let mut lines = self.lines.clone();
        for update in updates.iter().rev() {
            lines.splice(update.lines.clone(), update.text.lines().map(str::to_owned));
        }
        lines.join("\n") + "\n"
    }
}
