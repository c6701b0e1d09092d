//! The book's commands: each one is run, and prints what the page says.
//!
//! Pages are README.md and docs/src/**/*.md. A page's commands run in its order in a folder of their own, which holds a
//! copy of `recipes/`. `framework` is this build's program; `cargo run --release --` stands for it. There is no
//! network, and `cd` lasts until the page's end. Two kinds of fenced blocks hold commands:
//!
//! - `sh`: each line is a command, which succeeds. A `\` at a line's end continues it; there are no here-documents.
//! - `console`: lines that begin with `$ ` are commands, the lines below are what they print on stdout and stderr. `…`
//!   stands for any text, a line of its own for any lines. Times and speeds (`3.1 s`, `812 tokens/s`) and the folder's
//!   path are not compared. Under `$ framework chat`, lines that begin with `> ` are typed.
//!
//! Comments before a block, one a line or over several lines, change what happens:
//!
//! - `<!-- skip: REASON -->`: the next block is not run.
//! - `<!-- setup: COMMANDS -->`: runs commands that the page does not show, a line each; they succeed.
//! - `<!-- file: PATH -->`: the next block, of any kind, is written to this file.
//! - `<!-- fast: ARGUMENTS -->`: the next block's `framework train` and `sweep` get these arguments too, and the numbers that the
//!   block prints are not compared.
//! - `<!-- fails: CODE -->`: the next block's last command ends with this exit code.
//! - `<!-- output: REASON -->`: what the next block prints is not compared, e.g. because it shows a longer training.
//! - `<!-- after: PAGE -->`: the page begins in a copy of the folder that another page (`tutorial.md`) has left.
//!
//! `FRAMEWORK_UPDATE_BOOK=1 cargo test --test cli book::` writes what was printed into the pages where it differs;
//! outputs with a `…` stay.

mod compare;
mod page;

use page::{Action, Block, Page, Shown};
use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

#[test]
fn every_command_of_the_book_does_what_the_page_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut book = Book::default();
    for name in page::names(root) {
        book.page(root, &name);
    }
    assert!(book.failures.is_empty(), "{}", book.failures.join("\n\n"));
}

/// The conventions at work, on pages made up for it.
#[test]
fn pages_are_tried_as_their_comments_say() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::create_dir_all(root.path().join("docs/src")).unwrap();
        fs::write(page::path(root.path(), name), text).unwrap();
    };
    fs::create_dir_all(root.path().join("recipes")).unwrap();
    write("example.md", include_str!("book/example.md"));
    write("more.md", "<!-- after: example.md -->\n```console\n$ cat kept.txt\nkept\n```\n");
    let mut book = Book::default();
    page::names(root.path()).iter().for_each(|name| book.page(root.path(), name));
    assert_eq!((book.ran, book.failures), (14, Vec::new()));

    let wrong = [
        ("```sh\ntrue\nfalse\n```\n", "a.md:3: $ false\nexit code 1, not 0"),
        ("```console\n$ echo a\nb\n```\n", "a.md:2: $ echo a\nthe page says:\nb\n\nthe command says:\na\n"),
        ("<!-- fails: 2 -->\n```sh\ntrue\n```\n", "a.md:3: $ true\nexit code 0, not 2"),
        ("<!-- setup: false -->\n", "a.md:1: setup: $ false\nexit code 1"),
        ("<!-- skp: later -->\n", "a.md: line 1: `skp: later`: there are skip,"),
        ("<!-- skip: -->\n", "a.md: line 1: `skip: `: nothing follows the colon"),
    ];
    for (text, message) in wrong {
        write("a.md", text);
        let mut book = Book::default();
        book.page(root.path(), "a.md");
        assert!(book.failures.len() == 1 && book.failures[0].starts_with(message), "{:?}", book.failures);
    }
}

/// What has been run so far.
#[derive(Default)]
struct Book {
    /// The folder of each page.
    folders: BTreeMap<String, tempfile::TempDir>,
    ran: usize,
    failures: Vec<String>,
}

impl Book {
    /// Runs a page, once, and before it the one whose folder it needs.
    fn page(&mut self, root: &Path, name: &str) {
        if self.folders.contains_key(name) {
            return;
        }
        let path = page::path(root, name);
        let page = match Page::read(&path) {
            Ok(page) => page,
            Err(wrong) => return self.failures.push(format!("{name}: {wrong}")),
        };
        let folder = tempfile::tempdir().unwrap();
        let from = match &page.after {
            Some(after) => {
                self.page(root, after);
                self.folders.get(after).map(|folder| folder.path().to_owned())
            }
            None => None,
        };
        match from {
            Some(from) => copy(&from, folder.path()),
            None => copy(&root.join("recipes"), &folder.path().join("recipes")),
        }
        let mut shell = Shell::new(folder.path());
        let mut updates = Vec::new();
        for action in &page.actions {
            let outcome = match action {
                Action::Write { line, file, text } => shell.write(file, text).map_err(|e| (*line, e)),
                Action::Setup { line, commands } => shell.setup(commands).map_err(|e| (*line, e)),
                Action::Block(block) => self.block(&mut shell, block, &mut updates),
            };
            if let Err((line, wrong)) = outcome {
                self.failures.push(format!("{name}:{line}: {wrong}"));
            }
        }
        if std::env::var_os("FRAMEWORK_UPDATE_BOOK").is_some() && !updates.is_empty() {
            fs::write(&path, page.updated(&updates)).unwrap();
        }
        self.folders.insert(name.to_owned(), folder);
    }

    fn block(
        &mut self,
        shell: &mut Shell,
        block: &Block,
        updates: &mut Vec<page::Update>,
    ) -> Result<(), (usize, String)> {
        for (i, shown) in block.commands.iter().enumerate() {
            self.ran += 1;
            let expected = if i + 1 == block.commands.len() { block.fails } else { 0 };
            let said = shell.run(&block.command(shown), &shown.typed);
            let wrong = |message: String| (shown.line, format!("$ {}\n{message}", shown.command));
            if said.code != expected {
                return Err(wrong(format!("exit code {}, not {expected}:\n{}", said.code, said.text)));
            }
            let Some(output) = shown.output.as_ref().filter(|_| block.compared) else { continue };
            let text = shell.redacted(&said.text);
            if compare::alike(output, &text, block.fast.is_some()) {
                continue;
            }
            if std::env::var_os("FRAMEWORK_UPDATE_BOOK").is_some() && !output.contains('…') {
                updates.push(page::Update { lines: shown.output_lines.clone(), text });
                continue;
            }
            return Err(wrong(format!("the page says:\n{output}\nthe command says:\n{text}")));
        }
        Ok(())
    }
}

/// Runs commands one after the other, remembering the working directory.
struct Shell {
    root: PathBuf,
    here: PathBuf,
    programs: tempfile::TempDir,
}

/// What a command printed, and its exit code.
struct Said {
    code: i32,
    text: String,
}

impl Shell {
    fn new(root: &Path) -> Self {
        let programs = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_framework"), programs.path().join("framework")).unwrap();
        let root = root.canonicalize().unwrap();
        Self { here: root.clone(), root, programs }
    }

    fn run(&mut self, command: &str, typed: &str) -> Said {
        let state = self.programs.path().join("directory");
        let script = format!("{command}\ncode=$?\npwd > {state:?}\nexit $code");
        let path = format!("{}:{}", self.programs.path().display(), std::env::var("PATH").unwrap_or_default());
        let output = self.programs.path().join("output");
        let file = fs::File::create(&output).unwrap();
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).current_dir(&self.here).env("PATH", path).stdin(Stdio::piped());
        shell.stdout(file.try_clone().unwrap()).stderr(file);
        shell
            .env("HOME", self.programs.path().join("home"))
            .env("HF_HUB_OFFLINE", "1")
            .env("FRAMEWORK_TOKEN_CACHE", "");
        for name in ["XDG_DATA_HOME", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "FRAMEWORK_PLUGIN_PATH"] {
            shell.env_remove(name);
        }
        let mut child = shell.spawn().unwrap();
        // A command that reads nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        let code = child.wait().unwrap().code().unwrap_or(-1);
        if let Ok(here) = fs::read_to_string(&state) {
            self.here = here.trim_end().into();
        }
        Said { code, text: String::from_utf8_lossy(&fs::read(&output).unwrap()).into_owned() }
    }

    fn setup(&mut self, commands: &[String]) -> Result<(), String> {
        for command in commands {
            let said = self.run(command, "");
            if said.code != 0 {
                return Err(format!("setup: $ {command}\nexit code {}:\n{}", said.code, said.text));
            }
        }
        Ok(())
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let path = self.here.join(file);
        let made = fs::create_dir_all(path.parent().unwrap()).and_then(|()| fs::write(&path, text));
        made.map_err(|e| format!("cannot write {file}: {e}"))
    }

    /// Without the paths of this machine.
    fn redacted(&self, text: &str) -> String {
        let here = self.root.display().to_string();
        let text = text.replace(&self.programs.path().join("home").display().to_string(), "~");
        text.replace(&format!("{here}/"), "").replace(&here, ".")
    }
}

impl Block {
    /// The command as it is run.
    fn command(&self, shown: &Shown) -> String {
        let command = shown.command.replace("cargo run --release -- ", "framework ");
        match &self.fast {
            Some(more) if ["framework train ", "framework sweep "].iter().any(|long| command.starts_with(long)) => {
                let (command, comment) = command.split_once(" #").unwrap_or((&command, ""));
                format!("{command} {more} #{comment}")
            }
            _ => command,
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}
