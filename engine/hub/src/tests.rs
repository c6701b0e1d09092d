//! Downloads from a hub of our own.

use super::*;
use server::{COMMIT, Faults, Server};
use std::{fs, thread};

#[path = "../../../tests/common/hub.rs"]
mod server;

const REPO: &str = "acme/tiny";

/// A hub with a model, and an empty cache.
struct Case {
    server: Server,
    hub: Hub,
    weights: Vec<u8>,
    _dir: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let server = Server::start();
        let weights: Vec<u8> = (0..100_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for (file, content) in [
            (CONFIG, &b"{\"model_type\": \"gpt_neox\"}"[..]),
            (TOKENIZER, b"{}"),
            ("vocab.json", b"{}"),
            (WEIGHTS, &weights),
            ("pytorch_model.bin", b"pickle"),
            ("README.md", b"# Tiny"),
        ] {
            server.publish(REPO, file, content);
        }
        let dir = tempfile::tempdir().unwrap();
        let hub = Hub {
            endpoint: server.endpoint.clone(),
            cache: Cache(dir.path().join("hub")),
            token: None,
            offline: false,
            patience: Duration::from_millis(1),
        };
        Self { server, hub, weights, _dir: dir }
    }

    fn get(&self, id: &str) -> Result<PathBuf> {
        let id = Id::parse(id).unwrap();
        let folder = self.hub.resolve(&id, Use::Model)?;
        self.hub.complete(&self.hub.cache.id_of(&folder).unwrap(), &folder, Use::Model)?;
        Ok(folder)
    }

    fn said(&self, id: &str) -> String {
        self.get(id).unwrap_err().to_string().replace(&self.server.endpoint, "HUB")
    }

    fn blobs(&self) -> Vec<String> {
        let folder = self.hub.cache.0.join("models--acme--tiny/blobs");
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_needed_is_laid_out_as_huggingface_hub_has_it() {
    let case = Case::new();
    let id = Id::parse(REPO).unwrap();
    let folder = case.hub.resolve(&id, Use::Model).unwrap();
    assert_eq!(folder, case.hub.cache.0.join("models--acme--tiny/snapshots").join(COMMIT));
    assert_eq!(names(&folder), [CONFIG, TOKENIZER], "no weights yet, and nothing that is not needed");
    assert!(case.server.asked().iter().all(|asked| !asked.cdn && !asked.path.contains("safetensors")));
    let missing = case.hub.missing(&id.at(COMMIT), &folder).unwrap().unwrap();
    assert_eq!((missing.id, missing.bytes), (format!("{REPO}@{COMMIT}"), Some(400_000)));

    assert_eq!(case.get(REPO).unwrap(), folder);
    assert_eq!(fs::read(folder.join(WEIGHTS)).unwrap(), case.weights);
    assert_eq!(case.hub.missing(&id.at(COMMIT), &folder).unwrap(), None);
    assert_eq!(fs::read_to_string(folder.parent().unwrap().with_file_name("refs").join("main")).unwrap(), COMMIT);
    // What `git hash-object` says of the configuration.
    assert!(case.blobs().contains(&"8a436e42a8770c6cdc06131f2a731f20486d223a".to_owned()), "{:?}", case.blobs());
    #[cfg(unix)]
    {
        let link = fs::read_link(folder.join(CONFIG)).unwrap();
        assert!(link.starts_with("../../blobs") && link.file_name().unwrap().len() == 40, "{link:?}");
        assert_eq!(fs::read_link(folder.join(WEIGHTS)).unwrap().file_name().unwrap().len(), 64);
    }
    assert!(case.hub.cache.is_absent(&id, COMMIT, "generation_config.json"));
}

#[test]
fn what_cannot_change_is_asked_for_once() {
    let case = Case::new();
    let pinned = format!("{REPO}@{COMMIT}");
    case.get(&pinned).unwrap();
    case.server.asked();
    case.get(&pinned).unwrap();
    assert_eq!(case.server.asked().len(), 0);
    // A branch may have moved.
    case.get(REPO).unwrap();
    assert_eq!(case.server.asked().len(), 1);
    let other = COMMIT.replace('1', "2");
    case.server.publish(REPO, CONFIG, "{}");
    case.server.commit(REPO, &other);
    let folder = case.get(REPO).unwrap();
    assert!(folder.ends_with(&other));
    assert_eq!(fs::read(folder.join(CONFIG)).unwrap(), b"{}");
    let asked = case.server.asked();
    assert!(!asked.iter().any(|asked| asked.cdn), "the weights are the same: {asked:?}");
    assert!(case.get(&format!("{REPO}@v1.0")).unwrap().ends_with(&other));
}

#[test]
fn broken_downloads_go_on() {
    let case = Case::new();
    case.server.faults(Faults { cut: (150_000, 2), busy: 1, ..Faults::default() });
    let folder = case.get(REPO).unwrap();
    assert_eq!(fs::read(folder.join(WEIGHTS)).unwrap(), case.weights);
    let ranges: Vec<_> = case.server.asked().into_iter().filter(|a| a.cdn).map(|a| a.range).collect();
    assert_eq!(ranges, [None, Some("bytes=150000-".into()), Some("bytes=300000-".into())]);
}

/// What a killed process has left is gone on with by the next.
#[test]
fn partial_files_go_on() {
    let case = Case::new();
    case.server.faults(Faults { cut: (0, 1000), ..Faults::default() });
    let said = case.said(REPO);
    assert!(
        said.contains("cannot reach HUB") && said.contains("0 of 400000 bytes of model.safetensors are kept"),
        "{said}"
    );
    let partial = case.blobs().into_iter().find(|name| name.ends_with(".incomplete")).unwrap();
    let partial = case.hub.cache.0.join("models--acme--tiny/blobs").join(partial);
    fs::write(&partial, &case.weights[..123_456]).unwrap();
    case.server.faults(Faults::default());
    case.server.asked();
    let folder = case.get(REPO).unwrap();
    assert_eq!(fs::read(folder.join(WEIGHTS)).unwrap(), case.weights);
    let ranges: Vec<_> = case.server.asked().into_iter().filter(|a| a.cdn).map(|a| a.range).collect();
    assert_eq!(ranges, [Some("bytes=123456-".into())]);
    assert!(!partial.exists());
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    let case = Case::new();
    case.server.faults(Faults { cut: (150_000, 1), no_ranges: true, ..Faults::default() });
    assert_eq!(fs::read(case.get(REPO).unwrap().join(WEIGHTS)).unwrap(), case.weights);
}

#[test]
fn damaged_files_are_never_put_in_place() {
    let case = Case::new();
    case.server.faults(Faults { damaged: 1, ..Faults::default() });
    let folder = case.get(REPO).unwrap();
    assert_eq!(fs::read(folder.join(WEIGHTS)).unwrap(), case.weights, "the second time it was whole");

    let case = Case::new();
    case.server.faults(Faults { damaged: 1000, ..Faults::default() });
    let said = case.said(REPO);
    assert!(said.contains("model.safetensors of acme/tiny@1111") && said.contains("twice; expected "), "{said}");
    assert!(!case.blobs().iter().any(|name| name.len() >= 64), "{:?}", case.blobs());
    // Something else of the right length, left where the download would go on.
    let case = Case::new();
    case.server.faults(Faults { cut: (0, 1000), ..Faults::default() });
    case.said(REPO);
    let partial = case.blobs().into_iter().find(|name| name.ends_with(".incomplete")).unwrap();
    fs::write(case.hub.cache.0.join("models--acme--tiny/blobs").join(partial), vec![7; 400_000]).unwrap();
    case.server.faults(Faults::default());
    assert_eq!(fs::read(case.get(REPO).unwrap().join(WEIGHTS)).unwrap(), case.weights);
}

#[test]
fn small_files_are_checked_too() {
    let case = Case::new();
    case.server.faults(Faults { etag: Some("0".repeat(40)), ..Faults::default() });
    assert!(case.said(REPO).contains("config.json of acme/tiny@1111"), "{}", case.said(REPO));
    case.server.faults(Faults { etag: Some("../../../evil".into()), ..Faults::default() });
    assert!(case.said(REPO).contains("no usable entity tag for config.json"), "{}", case.said(REPO));
    // Without a hash in the tag, the list's counts.
    case.server.faults(Faults { etag: Some("md5-or-so".into()), ..Faults::default() });
    case.get(REPO).unwrap();
}

#[test]
fn several_at_once_download_once() {
    let case = Case::new();
    case.server.faults(Faults { slow: Duration::from_millis(2), ..Faults::default() });
    thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| case.get(REPO).unwrap())).collect();
        for folder in all {
            assert_eq!(fs::read(folder.join().unwrap().join(WEIGHTS)).unwrap(), case.weights);
        }
    });
    assert_eq!(case.server.asked().iter().filter(|asked| asked.cdn).count(), 1);
}

#[test]
fn sharded_weights() {
    let case = Case::new();
    let index = r#"{ "weight_map": { "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
        "c": "model-00001-of-00002.safetensors", "d": "../../evil.safetensors", "e": "pytorch_model.bin" } }"#;
    case.server.publish("acme/large", CONFIG, "{}");
    case.server.publish("acme/large", TOKENIZER, "{}");
    case.server.publish("acme/large", INDEX, index);
    for i in 1..=2 {
        case.server.publish("acme/large", &format!("model-0000{i}-of-00002.safetensors"), vec![i; 10]);
    }
    case.server.publish("acme/large", "pytorch_model.bin", "pickle");
    let folder = case.get("acme/large").unwrap();
    let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    assert_eq!(names(&folder), [CONFIG, shards[0], shards[1], INDEX, TOKENIZER]);
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let mut case = Case::new();
    case.server.protect(REPO, "hf_secret", true);
    let said = case.said(REPO);
    assert!(
        said.contains("has no model acme/tiny, or shows it to its owner only") && said.contains("set HF_TOKEN"),
        "{said}"
    );
    case.hub.token = Some("hf_wrong".into());
    let said = case.said(REPO);
    assert!(said.contains("check that HF_TOKEN is valid") && !said.contains("hf_wrong"), "{said}");
    case.hub.token = Some("hf_secret".into());
    case.server.asked();
    case.get(REPO).unwrap();
    let asked = case.server.asked();
    assert!(asked.iter().any(|asked| asked.cdn));
    for asked in asked {
        assert_eq!(asked.authorization.is_some(), !asked.cdn, "{asked:?}");
    }
}

#[test]
fn refusals_say_what_to_do() {
    let case = Case::new();
    insta::assert_snapshot!(case.said("acme/tny"), @r"
    HUB has no model acme/tny, or shows it to its owner only
        check the spelling at HUB/acme/tny; if it is private, set HF_TOKEN, or `hf auth login`
    ");
    insta::assert_snapshot!(case.said("acme/tiny@v9"), @r"
    acme/tiny has no revision `v9`
        its branches, tags and commits are listed at HUB/acme/tiny/commits/main
    ");
    case.server.protect(REPO, "hf_secret", false);
    insta::assert_snapshot!(case.said(REPO), @r"
    acme/tiny@1111111111111111111111111111111111111111 is gated: its owner gives it only to those who accept the conditions
        accept them at HUB/acme/tiny and set HF_TOKEN, or `hf auth login`
    ");
    case.server.publish("acme/old", CONFIG, "{}");
    case.server.publish("acme/old", "pytorch_model.bin", "pickle");
    insta::assert_snapshot!(case.said("acme/old"), @r"
    acme/old has no model.safetensors
        its weights are pickled, which may run any program when read: convert them with `AutoModelForCausalLM.from_pretrained(ID).save_pretrained(FOLDER)`, and give the folder
    ");
    case.server.publish("acme/lora", ADAPTER, "{}");
    insta::assert_snapshot!(case.said("acme/lora"), @r"
    acme/lora has no config.json
        it is an adapter: name it as `adapter.init_from` or `--adapter`, and its base model here
    ");
    case.server.faults(Faults { busy: 1000, ..Faults::default() });
    insta::assert_snapshot!(case.said("acme/other"), @"acme/other: HUB answers with status 503; try again later");
}

#[test]
fn without_a_network_the_cache_serves() {
    let mut case = Case::new();
    case.hub.offline = true;
    let said = case.said(REPO).replace(&case.hub.cache.0.display().to_string(), "CACHE");
    insta::assert_snapshot!(said, @r"
    config.json of acme/tiny is not in the cache CACHE, and HF_HUB_OFFLINE is set
        unset HF_HUB_OFFLINE to download it; or `hf download acme/tiny --local-dir tiny` elsewhere, and give the folder
    ");
    assert_eq!(case.server.asked().len(), 0);
    case.hub.offline = false;
    case.hub.resolve(&Id::parse(REPO).unwrap(), Use::Model).unwrap();
    case.hub.offline = true;
    case.server.asked();
    assert!(case.said(REPO).starts_with("model.safetensors of acme/tiny@1111"), "{}", case.said(REPO));
    case.hub.offline = false;
    case.get(REPO).unwrap();
    case.hub.offline = true;
    case.server.asked();
    case.get(REPO).unwrap();
    assert_eq!(case.server.asked().len(), 0);
    // Nobody listens there.
    (case.hub.offline, case.hub.endpoint) = (false, "http://127.0.0.1:1".into());
    case.get(REPO).unwrap();
    let said = case.get("acme/other").unwrap_err();
    assert!(
        said.exit_code() == 1 && said.to_string().starts_with("acme/other: cannot reach http://127.0.0.1:1: "),
        "{said}"
    );
}

#[test]
fn adapters_and_tokenizers() {
    let case = Case::new();
    case.server.publish("acme/lora", ADAPTER, "{}");
    case.server.publish("acme/lora", ADAPTER_WEIGHTS, "weights");
    case.server.publish("acme/lora", TOKENIZER, "{}");
    let id = Id::parse("acme/lora").unwrap();
    let folder = case.hub.resolve(&id, Use::Adapter).unwrap();
    assert_eq!(names(&folder), [ADAPTER]);
    case.hub.complete(&id.at(COMMIT), &folder, Use::Adapter).unwrap();
    assert_eq!(names(&folder), [ADAPTER, ADAPTER_WEIGHTS]);
    assert_eq!(names(&case.hub.resolve(&id, Use::Tokenizer).unwrap()), [ADAPTER, ADAPTER_WEIGHTS, TOKENIZER]);
    case.server.publish("acme/vocab", "vocab.txt", "[PAD]\n");
    assert_eq!(names(&case.hub.resolve(&Id::parse("acme/vocab").unwrap(), Use::Tokenizer).unwrap()), ["vocab.txt"]);
}

#[test]
fn a_full_disk_is_named() {
    let case = Case::new();
    let e = case.hub.unwritten(Path::new("x"), std::io::ErrorKind::StorageFull.into());
    assert!(e.to_string().contains("is full") && e.to_string().contains("set HF_HOME"), "{e}");
}
