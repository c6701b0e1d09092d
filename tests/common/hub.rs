//! A server that behaves like the Hugging Face hub, and the content network behind it; and what can go wrong with them.
#![allow(dead_code)]

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

/// The commit of everything that is published first.
pub const COMMIT: &str = "1111111111111111111111111111111111111111";

/// A hub of this test's own; its threads end with the test.
pub struct Server {
    /// For `HF_ENDPOINT`.
    pub endpoint: String,
    state: Arc<State>,
}

/// A request as it was received.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whether the content network was asked, not the hub.
    pub cdn: bool,
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

/// What is wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Connections that break off after so many bytes of a large file, and how many more of them.
    pub cut: (usize, usize),
    /// Large files that are sent with a wrong byte, how many more.
    pub damaged: usize,
    /// Ranges are ignored.
    pub no_ranges: bool,
    /// Answers with status 503, how many more.
    pub busy: usize,
    /// A pause before each part of a large file.
    pub slow: Duration,
    /// What is said for the entity tag of small files.
    pub etag: Option<String>,
}

#[derive(Default)]
struct Repo {
    commit: String,
    files: BTreeMap<String, Vec<u8>>,
    /// Only whoever shows this gets files, and knows that it exists if it is private.
    token: Option<String>,
    private: bool,
}

#[derive(Default)]
struct State {
    repos: Mutex<BTreeMap<String, Repo>>,
    asked: Mutex<Vec<Asked>>,
    faults: Mutex<Faults>,
    cdn: Mutex<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Server {
    pub fn start() -> Self {
        let state = Arc::new(State::default());
        let serve = |cdn: bool| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("http://{}", listener.local_addr().unwrap());
            let state = state.clone();
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = state.clone();
                    // Whoever hangs up does so on purpose.
                    thread::spawn(move || _ = state.answer(stream, cdn));
                }
            });
            address
        };
        let endpoint = serve(false);
        let cdn = serve(true);
        *lock(&state.cdn) = cdn;
        Self { endpoint, state }
    }

    /// Publishes a model's file.
    pub fn publish(&self, repo: &str, file: &str, content: impl Into<Vec<u8>>) {
        let mut repos = lock(&self.state.repos);
        let repo = repos.entry(repo.into()).or_insert_with(|| Repo { commit: COMMIT.into(), ..Repo::default() });
        repo.files.insert(file.into(), content.into());
    }

    /// Publishes all files of a folder.
    pub fn publish_folder(&self, repo: &str, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            self.publish(repo, path.file_name().unwrap().to_str().unwrap(), std::fs::read(&path).unwrap());
        }
    }

    /// Moves the branch `main` to another commit.
    pub fn commit(&self, repo: &str, commit: &str) {
        lock(&self.state.repos).get_mut(repo).unwrap().commit = commit.into();
    }

    /// Asks for a token from now on.
    pub fn protect(&self, repo: &str, token: &str, private: bool) {
        let mut repos = lock(&self.state.repos);
        let repo = repos.get_mut(repo).unwrap();
        (repo.token, repo.private) = (Some(token.into()), private);
    }

    /// Makes something go wrong.
    pub fn faults(&self, faults: Faults) {
        *lock(&self.state.faults) = faults;
    }

    /// The requests since this was last asked.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *lock(&self.state.asked))
    }
}

/// What git names a content by.
fn git(content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn is_large(file: &str) -> bool {
    file.ends_with(".safetensors")
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

impl State {
    fn answer(&self, mut stream: TcpStream, cdn: bool) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let first = lines.next().unwrap_or(Ok(String::new()))?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = BTreeMap::new();
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let header = |name: &str| headers.get(name).cloned();
        let asked = Asked { cdn, method, path, range: header("range"), authorization: header("authorization") };
        lock(&self.asked).push(asked.clone());
        let (status, headers, body) = if cdn { self.content(&asked) } else { self.hub(&asked) };
        let head: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        write!(stream, "HTTP/1.1 {status} -\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
        if asked.method == "HEAD" {
            return Ok(());
        }
        let end = if cdn { self.end(length) } else { length };
        for part in body[..end].chunks(1 << 12) {
            thread::sleep(if cdn { lock(&self.faults).slow } else { Duration::ZERO });
            stream.write_all(part)?;
        }
        Ok(())
    }

    /// Where a large file breaks off this time.
    fn end(&self, length: usize) -> usize {
        let (at, times) = &mut lock(&self.faults).cut;
        if *times == 0 || length <= *at {
            return length;
        }
        *times -= 1;
        *at
    }

    fn hub(&self, asked: &Asked) -> Answer {
        {
            let mut faults = lock(&self.faults);
            if faults.busy > 0 {
                faults.busy -= 1;
                return (503, vec![], vec![]);
            }
        }
        let no = |status: u16, code: &str| (status, vec![("X-Error-Code", code.to_owned())], b"{}".to_vec());
        let path = asked.path.split('?').next().unwrap().trim_start_matches('/');
        let parts: Vec<_> = path.split('/').collect();
        let (repo, revision, file) = match parts[..] {
            ["api", "models", owner, name, "revision", revision] => (format!("{owner}/{name}"), revision, None),
            [owner, name, "resolve", revision, file] => (format!("{owner}/{name}"), revision, Some(file)),
            ["cached", owner, name, revision, file] => (format!("{owner}/{name}"), revision, Some(file)),
            _ => return no(404, "?"),
        };
        let repos = lock(&self.repos);
        let Some(found) = repos.get(&repo) else { return no(401, "RepoNotFound") };
        let knows = found.token.as_ref().is_none_or(|token| asked.authorization == Some(format!("Bearer {token}")));
        if !knows && found.private {
            return no(401, "RepoNotFound");
        }
        if ![found.commit.as_str(), "main", "v1.0"].contains(&revision) {
            return no(404, "RevisionNotFound");
        }
        let Some(file) = file else {
            let entry = |(name, content): (&String, &Vec<u8>)| {
                let mut entry = json!({ "rfilename": name, "size": content.len(), "blobId": git(content) });
                if is_large(name) {
                    entry["lfs"] = json!({ "sha256": hex(&Sha256::digest(content)), "size": content.len() });
                }
                entry
            };
            let files: Vec<_> = found.files.iter().map(entry).collect();
            let body = json!({ "id": repo, "sha": found.commit, "siblings": files });
            return (200, vec![], body.to_string().into_bytes());
        };
        if !knows {
            return no(403, "GatedRepo");
        }
        let Some(content) = found.files.get(file) else { return no(404, "EntryNotFound") };
        let commit = ("X-Repo-Commit", found.commit.clone());
        if is_large(file) {
            let hash = hex(&Sha256::digest(content));
            let place = format!("{}/{repo}/{file}?signature=secret", lock(&self.cdn));
            let about = [("X-Linked-Etag", format!("\"{hash}\"")), ("X-Linked-Size", content.len().to_string())];
            return (302, [vec![commit, ("Location", place)], about.into()].concat(), b"elsewhere".to_vec());
        }
        if parts[0] != "cached" {
            return (307, vec![commit, ("Location", format!("/cached/{repo}/{revision}/{file}"))], vec![]);
        }
        let etag = lock(&self.faults).etag.clone().unwrap_or_else(|| git(content));
        (200, vec![commit, ("ETag", format!("\"{etag}\""))], content.clone())
    }

    /// The content network: knows nobody, takes ranges.
    fn content(&self, asked: &Asked) -> Answer {
        if asked.authorization.is_some() {
            return (400, vec![], vec![]);
        }
        let path = asked.path.trim_start_matches('/').trim_end_matches("?signature=secret");
        let (repo, file) = path.rsplit_once('/').unwrap();
        let mut content = lock(&self.repos)[repo].files[file].clone();
        let mut faults = lock(&self.faults);
        if faults.damaged > 0 {
            faults.damaged -= 1;
            content[0] ^= 1;
        }
        let from = asked.range.as_ref().filter(|_| !faults.no_ranges);
        let Some(from) = from.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()) else {
            return (200, vec![("ETag", "\"another\"".into())], content);
        };
        if from >= content.len() {
            return (416, vec![], vec![]);
        }
        let range = format!("bytes {from}-{}/{}", content.len() - 1, content.len());
        (206, vec![("Content-Range", range)], content[from..].to_vec())
    }
}
