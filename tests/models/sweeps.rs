//! What the runs of a sweep share.

use crate::{
    golden::{Golden, sources},
    run::write_tokenizer,
};
use framework_engine::train::{
    Preparing,
    sweep::{Request, Sweep, SweepEvent},
};
use std::fs;

/// Tokens are read once, and weights once for each network that the recipes make; the runs are as if each had been alone.
#[test]
fn tokens_and_weights_are_prepared_once() {
    let (golden, dir) = (Golden::open("llama/plain"), tempfile::tempdir().unwrap());
    write_tokenizer(&dir.path().join("tokenizer"), golden.network("model", None).spec().vocab_size, "t2");
    fs::write(dir.path().join("text.txt"), "t3 t4 t5 t6\n").unwrap();
    let recipe = format!(
        "output = {:?}\nmodel = {{ plugin = \"llama\", weights = {:?} }}\ntokenizer.path = \"tokenizer\"\n\
         dataset = [{{ plugin = \"text\", path = \"text.txt\" }}]\ndata.cache = false\n",
        dir.path().join("run"),
        golden.path("model"),
    );
    let path = dir.path().join("recipe.toml");
    fs::write(&path, recipe).unwrap();
    let sets =
        ["adapter={plugin=\"lora\",r=2},{plugin=\"full\"}", "optimizer.learning_rate=1e-3,1e-2", "train.epochs=2"];
    let sets = sets.map(str::to_owned);
    let sweep = |sets: &[String], folder: &str| {
        let request = Request { sets, folder: Some(dir.path().join(folder)), ..Request::default() };
        let (mut read, mut loaded) = (0, 0);
        let mut runs = Sweep::open(&path, &request, &sources()).unwrap().run(&|| false, &mut |event| match event {
            // The last word on the data of a run.
            SweepEvent::Preparing(Preparing::Data(_)) => read += 1,
            SweepEvent::Preparing(Preparing::Model) => loaded += 1,
            _ => {}
        });
        let losses: Vec<_> =
            runs.as_mut().unwrap().take().unwrap().rows.iter().map(|row| row.train_loss.unwrap()).collect();
        (losses, read, loaded)
    };
    let (losses, read, loaded) = sweep(&sets, "all");
    assert_eq!((losses.len(), loaded), (4, 2));
    assert!(read > 0);
    // Backwards, so that each network is another run's first.
    let back = [&sets[0], "optimizer.learning_rate=1e-2,1e-3", &sets[2]].map(str::to_owned);
    let (backwards, once, _) = sweep(&back, "back");
    assert_eq!([1, 0, 3, 2].map(|i| backwards[i]), losses[..]);
    assert_eq!(read, once);
    assert!(losses[0] != losses[1] && losses[1] != losses[2]);
    let (_, one, _) = sweep(&["seed=1,2".to_owned(), sets[2].clone()], "seeds");
    assert_eq!(one, 2 * read, "another seed makes another split");
}
