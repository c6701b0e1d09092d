//! Downloads: what a repository has, and its files, resumed and checked.

use super::{
    Hub, Id, Transfer,
    hash::{Check, Hash},
    http::{Client, Reply},
    tell, wrong,
};
use framework_base::{Error, Result, id::is_commit};
use serde_json::Value;
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::Path,
    thread,
    time::Duration,
};

/// Attempts without any progress before it is given up.
const ATTEMPTS: u32 = 5;

/// A repository at a commit.
pub(super) struct Listing {
    pub commit: String,
    files: Vec<Listed>,
}

struct Listed {
    name: String,
    size: Option<u64>,
    hash: Option<Hash>,
}

impl Listing {
    /// The files' names.
    pub fn names(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.name.as_str()).collect()
    }

    /// Whether a file is there.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A file's size, if it is told.
    pub fn size(&self, name: &str) -> Option<u64> {
        self.find(name)?.size
    }

    fn find(&self, name: &str) -> Option<&Listed> {
        self.files.iter().find(|file| file.name == name)
    }

    fn read(json: &Value) -> Option<Self> {
        let commit = json["sha"].as_str().filter(|sha| is_commit(sha))?.to_owned();
        let file = |entry: &Value| {
            let large = entry["lfs"]["sha256"].as_str().or(entry["lfs"]["oid"].as_str());
            Some(Listed {
                name: entry["rfilename"].as_str()?.to_owned(),
                size: entry["size"].as_u64(),
                hash: large.or(entry["blobId"].as_str()).and_then(Hash::of_etag),
            })
        };
        Some(Self { commit, files: json["siblings"].as_array()?.iter().filter_map(file).collect() })
    }
}

/// Why there is no listing.
pub(super) enum Failure {
    /// Nobody answers, or the hub is out of order: what is in the cache may do.
    Unreachable(Error),
    /// The answer is no.
    Refused(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable(e) | Failure::Refused(e) => e,
        }
    }
}

impl Hub {
    pub(super) fn client(&self, id: &Id) -> Result<Client> {
        Client::new(&self.endpoint, self.token.as_deref()).map_err(|e| self.unreachable(id, &e))
    }

    /// What an id's repository has.
    pub(super) fn listing(&self, client: &Client, id: &Id) -> Result<Listing, Failure> {
        let path = format!("/api/models/{}/revision/{}?blobs=true", id.name, encoded(id.revision()));
        let reply = self.ask(|| client.get(&path, 0)).map_err(|e| Failure::Unreachable(self.unreachable(id, &e)))?;
        if reply.status != 200 {
            let e = self.refused(id, reply.status, reply.header("x-error-code"));
            return Err(if reply.status >= 500 { Failure::Unreachable(e) } else { Failure::Refused(e) });
        }
        let mut text = String::new();
        let read = reply.body.take(1 << 26).read_to_string(&mut text);
        read.map_err(|e| Failure::Unreachable(self.unreachable(id, &e.to_string())))?;
        let json: Option<Value> = serde_json::from_str(&text).ok();
        let listing = json.as_ref().and_then(Listing::read);
        listing.ok_or_else(|| Failure::Refused(self.senseless(id, "no list of files")))
    }

    /// Asks until there is an answer, which may be a refusal; for a moment of disorder only.
    fn ask(&self, request: impl Fn() -> Result<Reply, String>) -> Result<Reply, String> {
        for attempt in 0..3 {
            match request() {
                Ok(reply) if !is_passing(reply.status) => return Ok(reply),
                _ => self.pause(attempt),
            }
        }
        request()
    }

    fn pause(&self, attempt: u32) {
        thread::sleep(self.patience * 2u32.pow(attempt.min(6)));
    }

    /// Brings a file of a listing into the cache, if it is not there.
    pub(super) fn bring(&self, client: &Client, id: &Id, listing: &Listing, name: &str) -> Result<()> {
        let id = id.at(&listing.commit);
        if self.cache.snapshot(&id, &listing.commit).join(name).exists() {
            return Ok(());
        }
        let path = format!("/{}/resolve/{}/{}", id.name, listing.commit, encoded(name));
        let about = self.ask(|| client.head(&path)).map_err(|e| self.unreachable(&id, &e))?;
        if about.status >= 400 {
            return Err(self.refused(&id, about.status, about.header("x-error-code")));
        }
        let redirected = about.status >= 300;
        let etag = about.header("x-linked-etag").or(about.header("etag").filter(|_| !redirected)).map(plain);
        let etag = etag.filter(|etag| is_file_name(etag));
        let etag = etag.ok_or_else(|| self.senseless(&id, &format!("no usable entity tag for {name}")))?;
        let listed = listing.find(name);
        let size = about.number("x-linked-size").or(about.number("content-length").filter(|_| !redirected));
        let size = size.or(listed.and_then(|file| file.size));
        let size = size.ok_or_else(|| self.senseless(&id, &format!("no size for {name}")))?;
        let hash = Hash::of_etag(etag).or(listed.and_then(|file| file.hash.clone()));
        if hash.is_none() {
            tracing::warn!("{} gives no hash for {name} of {id}: only its size is checked", self.endpoint);
        }
        let waiting = || tell(&Transfer::Waits { id: &id, file: name });
        let _lock = self.cache.lock(&id, etag, waiting)?;
        let blob = self.cache.blob(&id, etag);
        if !blob.exists() {
            let file = Wanted { id: &id, name, path: &path, size, hash };
            self.download(client, &file, &blob)?;
        }
        self.cache.link(&id, &listing.commit, name, etag)
    }

    /// Downloads a file beside its place, going on where an earlier download broke off, and checks it.
    fn download(&self, client: &Client, file: &Wanted, blob: &Path) -> Result<()> {
        blob.parent().map_or(Ok(()), framework_base::files::create_dir)?;
        let mut name = blob.file_name().unwrap_or_default().to_owned();
        name.push(".incomplete");
        let path = blob.with_file_name(name);
        for second in [false, true] {
            let mut partial = Partial::open(self, file, &path)?;
            tell(&Transfer::Begins { id: file.id, file: file.name, size: file.size, done: partial.length });
            self.fill(client, file, &mut partial)?;
            tell(&Transfer::Ends { id: file.id, file: file.name });
            partial.file.sync_all().map_err(|e| self.unwritten(&path, e))?;
            match partial.check.map_or(Ok(()), Check::finish) {
                Ok(()) => return fs::rename(&path, blob).map_err(|e| self.unwritten(blob, e)),
                Err((expected, found)) => {
                    fs::remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
                    if second {
                        return Err(wrong::damaged(file.id, file.name, &expected, &found));
                    }
                    tracing::warn!("{} of {} arrived damaged; once more from the beginning", file.name, file.id);
                }
            }
        }
        unreachable!("the second time ends it")
    }

    /// Asks for what is missing of a file until all of it is there.
    fn fill(&self, client: &Client, file: &Wanted, partial: &mut Partial) -> Result<()> {
        let mut attempt = 0;
        while partial.length < file.size || file.size == 0 {
            let before = partial.length;
            let why = match client.get(file.path, before) {
                Ok(reply) => match (reply.status, reply.header("content-range")) {
                    (206, Some(range)) if range.starts_with(&format!("bytes {before}-")) => {
                        partial.read(reply, file)?
                    }
                    (200, _) => {
                        partial.start_over(file)?;
                        partial.read(reply, file)?
                    }
                    (206 | 416, _) => {
                        partial.start_over(file)?;
                        "what was there does not fit what is sent".into()
                    }
                    (status, _) if is_passing(status) => format!("status {status}"),
                    (status, _) => return Err(self.refused(file.id, status, reply.header("x-error-code"))),
                },
                Err(e) => e,
            };
            if partial.length == file.size {
                break;
            }
            attempt = if partial.length > before { 0 } else { attempt + 1 };
            if attempt == ATTEMPTS {
                let kept = format!("{why}; {} of {} bytes of {} are kept", partial.length, file.size, file.name);
                return Err(self.unreachable(file.id, &kept));
            }
            tracing::info!("{} of {}: {why}; going on at byte {}", file.name, file.id, partial.length);
            self.pause(attempt);
        }
        Ok(())
    }
}

/// A file that is to be downloaded.
struct Wanted<'a> {
    id: &'a Id,
    name: &'a str,
    path: &'a str,
    size: u64,
    hash: Option<Hash>,
}

/// A file that is being downloaded.
struct Partial<'a> {
    hub: &'a Hub,
    path: &'a Path,
    file: File,
    length: u64,
    check: Option<Check>,
}

impl<'a> Partial<'a> {
    /// What an earlier download has left, or nothing.
    fn open(hub: &'a Hub, wanted: &Wanted, path: &'a Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).append(true).open(path);
        let file = file.map_err(|e| hub.unwritten(path, e))?;
        let mut this = Self { hub, path, file, length: 0, check: None };
        this.check = wanted.hash.as_ref().map(|hash| hash.check(wanted.size));
        let mut buffer = vec![0; 1 << 20];
        loop {
            match this.file.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => this.took(&buffer[..n]),
                Err(e) => return Err(Error::io("read", path, e)),
            }
        }
        if this.length > wanted.size {
            this.start_over(wanted)?;
        }
        Ok(this)
    }

    fn start_over(&mut self, wanted: &Wanted) -> Result<()> {
        self.file.set_len(0).map_err(|e| self.hub.unwritten(self.path, e))?;
        self.length = 0;
        self.check = wanted.hash.as_ref().map(|hash| hash.check(wanted.size));
        Ok(())
    }

    /// Appends what is sent; returns why it ended.
    fn read(&mut self, mut reply: Reply, wanted: &Wanted) -> Result<String> {
        let mut buffer = vec![0; 1 << 18];
        loop {
            match reply.body.read(&mut buffer) {
                Ok(0) => return Ok("the connection was cut".into()),
                Ok(n) if self.length + n as u64 > wanted.size => {
                    self.start_over(wanted)?;
                    return Ok("more was sent than the file has".into());
                }
                Ok(n) => {
                    self.file.write_all(&buffer[..n]).map_err(|e| self.hub.unwritten(self.path, e))?;
                    self.took(&buffer[..n]);
                    tell(&Transfer::Goes { id: wanted.id, file: wanted.name, done: self.length });
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Ok(e.to_string()),
            }
        }
    }

    fn took(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.check.iter_mut().for_each(|check| check.update(bytes));
    }
}

/// Whether an answer may be another one in a moment.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..)
}

/// An entity tag without what does not belong to the hash.
fn plain(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}

/// Whether joining the name to a folder stays in the folder, on any system.
fn is_file_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.chars().all(sound)
}

/// A part of an address.
fn encoded(text: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(b).to_string(),
        _ => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// How long the first pause is.
pub(super) const PATIENCE: Duration = Duration::from_millis(300);
