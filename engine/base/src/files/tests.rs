use super::*;
use std::cell::Cell;

thread_local! {
    /// Steps that are left before the crash.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

pub(super) fn step() -> io::Result<()> {
    match LEFT.get() {
        0 => Err(io::Error::other("crash")),
        left => {
            LEFT.set(left - 1);
            Ok(())
        }
    }
}

/// Runs `write`, which stops after so many steps. Nothing runs after the stop but what drops.
fn crash_after<T>(steps: usize, write: impl FnOnce() -> Result<T>) -> Result<T> {
    LEFT.set(steps);
    let outcome = write();
    LEFT.set(usize::MAX);
    outcome
}

/// What is in a folder: names and contents.
fn content(folder: &Path) -> Vec<(String, String)> {
    let read = |e: fs::DirEntry| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap());
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|e| read(e.unwrap())).collect();
    all.sort();
    all
}

#[test]
fn after_a_crash_at_any_step_a_folder_is_the_old_one_or_the_new_one() {
    let (mut crashes, mut seen) = (0, Vec::new());
    for steps in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        let write = |text: &'static str| {
            write_folder(&path, |dir| {
                create_dir(&dir.join("sub"))?;
                fs::write(dir.join("sub/b"), text).unwrap();
                fs::write(dir.join("a"), text).map_err(|e| Error::io("write", dir, e))
            })
        };
        write("old").unwrap();
        let outcome = crash_after(steps, || write("new"));
        clear_unfinished(dir.path());
        let [a, b] = ["a", "sub/b"].map(|file| fs::read_to_string(path.join(file)).unwrap());
        assert_eq!(a, b, "after {steps} steps");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "after {steps} steps");
        seen.push(a);
        write("next").unwrap();
        assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "next");
        crashes += usize::from(outcome.is_err());
        if outcome.is_ok() {
            break;
        }
    }
    assert_eq!(crashes, 5);
    assert_eq!(seen, ["old", "old", "old", "new", "new", "new"]);
}

#[test]
fn after_a_crash_at_any_step_a_file_is_the_old_one_or_the_new_one() {
    let mut seen = Vec::new();
    for steps in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        write_bytes(&path, b"old").unwrap();
        let outcome = crash_after(steps, || write_bytes(&path, b"new"));
        fs::write(dir.path().join(format!("{WRITING}1")), "half").unwrap();
        clear_unfinished(dir.path());
        let [(_, text)] = &content(dir.path())[..] else { panic!("something is left after {steps} steps") };
        seen.push(text.clone());
        if outcome.is_ok() {
            break;
        }
    }
    assert_eq!(seen, ["old", "old", "new", "new"]);
}

/// The two names are there at once only between two renamings.
#[test]
fn the_old_folder_comes_back_only_where_no_new_one_is() {
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str| fs::create_dir_all(dir.path().join(name).join(name)).unwrap();
    make(".lost.old");
    make(".lost.tmp");
    make(".done.old");
    make("done");
    fs::write(dir.path().join("kept.old"), "").unwrap();
    clear_unfinished(dir.path());
    assert!(dir.path().join("lost/.lost.old").is_dir() && dir.path().join("done/done").is_dir());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn a_folder_that_cannot_be_filled_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("step-1");
    let failing = |dir: &Path| {
        write_bytes(&dir.join("a"), b"1")?;
        Err(Error::failed("no"))
    };
    assert!(write_folder(&path, failing).is_err() && !path.exists());
    write_folder(&path, |dir| write_bytes(&dir.join("a"), b"2")).unwrap();
    assert!(write_folder(&path, failing).is_err());
    assert_eq!(content(&path), [("a".to_owned(), "2".to_owned())]);
}

#[test]
fn hash_of_the_empty_file() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(sha256_of(b""), empty);
}

/// FIPS 180-4's example.
#[test]
fn sha256_of_abc() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("abc");
    write_bytes(&path, b"abc").unwrap();
    assert_eq!(sha256(&path).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[cfg(unix)]
#[test]
fn files_are_readable_like_any_other() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
    fs::write(dir.path().join("plain"), "").unwrap();
    write_bytes(&dir.path().join("ours"), b"").unwrap();
    assert_eq!(mode("ours"), mode("plain"));
}
