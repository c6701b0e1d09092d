//! The end of a run, and the answers that are sampled on the way.

use super::{Event, Observer, Prepared, checkpoint, export, train_loop::TrainLoop};
use crate::{
    generation::Generator,
    objective::wanted,
    pipeline::encoder,
    run::{Summary, read_metrics},
    scoring::{self, Answering},
};
use framework_base::files::write_bytes;
use framework_base::{Error, Result, memory};
use framework_core::Record;
use framework_recipe::{Metric, SaveDtype};
use framework_text::Reader;
use std::{collections::BTreeMap, fmt::Write};

/// What to do when a run that has come to its end cannot write what it has trained.
fn unwritten(prepared: &Prepared, e: Error) -> Error {
    let session = &prepared.session;
    let other = (session.recipe.train.save_dtype == SaveDtype::F16).then_some("train.save_dtype=\"bf16\"");
    let command = session.resume_command(other.as_slice());
    Error::failed(format!(
        "{e}\n    Training is complete and its last checkpoint is saved. To write the result: {command}"
    ))
}

pub(super) fn finish(mut run_loop: TrainLoop, observe: Observer) -> Result<Summary> {
    let prepared = run_loop.prepared;
    let recipe = &prepared.session.recipe;
    run_loop.save_once()?;
    if let (true, Some((_, best))) = (recipe.train.load_best, run_loop.state.best)
        && best != run_loop.state.step
    {
        checkpoint::load_trained(&run_loop.run, best, &prepared.network)?;
        (run_loop.sampled, run_loop.loaded) = (None, run_loop.state.best);
        let what = match recipe.train.metric {
            Metric::Loss => "the lowest validation loss",
            Metric::Perplexity => "the lowest perplexity",
            Metric::Accuracy => "the highest accuracy",
        };
        observe(&Event::Message(format!("the weights of step {best} had {what} and are kept")));
    }
    observe(&Event::Phase("saving the result"));
    let output = export::export(&run_loop.run, prepared).map_err(|e| unwritten(prepared, e))?;
    let count = |params: &mut dyn Iterator<Item = &framework_core::Param>| params.map(|p| p.len()).sum();
    let (network, state) = (&prepared.network, &run_loop.state);
    let summary = Summary {
        steps: state.step,
        first_loss: state.first_loss,
        train_loss: state.last_loss,
        best: state.best,
        stopped_early: state.stopped,
        trained_parameters: count(&mut network.trained().into_iter()),
        parameters: count(&mut network.spec().params.iter().chain(&network.plan().params)),
        tokens: state.seen,
        seconds: state.seconds,
        tokens_per_second: state.seen as f64 / state.seconds.max(1e-9),
        peak_memory_bytes: memory::peak().max(Summary::read(&run_loop.run).and_then(|before| before.peak_memory_bytes)),
        trained_on_text: prepared.on_text(),
        output,
    };
    let json = serde_json::to_vec_pretty(&summary).map_err(|e| Error::failed(e.to_string()))?;
    write_bytes(&run_loop.run.summary(), &json)?;
    try_sample(&mut run_loop, observe);
    observe(&Event::End(&summary));
    Ok(summary)
}

/// [`sample`]; that it fails, as it does with weights that give NaN, is said and does not end the run.
pub(super) fn try_sample(run_loop: &mut TrainLoop, observe: Observer) {
    if let Err(e) = sample(run_loop, observe) {
        let step = run_loop.state.step;
        observe(&Event::Message(format!("step {step}: `generate.prompts` could not be answered: {e}")));
    }
}

/// What the recipe's metrics come to for the validation data; those that are not defined are left out. That prompts cannot
/// be answered is said and does not end the run.
pub(super) fn try_score(run_loop: &TrainLoop, observe: Observer) -> BTreeMap<String, f64> {
    let Prepared { session, network, tokenizer, template, corpus, .. } = run_loop.prepared;
    let report = &session.recipe.report;
    if report.metrics.is_empty() {
        return BTreeMap::new();
    }
    observe(&Event::Phase("answering validation prompts"));
    let with = Answering { session, network, tokenizer, template };
    let wanted = wanted(&session.recipe, &corpus.validation, &corpus.validation_weights);
    let answered = scoring::answer(&with, &wanted, report.metric_examples, &mut |_, _| {});
    let answered = answered.and_then(|answered| answered.ok_or_else(scoring::nothing_to_answer));
    match answered.and_then(|answered| scoring::score(session, &answered)) {
        Ok(scores) => scores.metrics.into_iter().filter_map(|(name, value)| Some((name, value.as_f64()?))).collect(),
        Err(e) => {
            observe(&Event::Message(format!("step {}: there are no metrics: {e}", run_loop.state.step)));
            BTreeMap::new()
        }
    }
}

/// Answers the recipe's prompts and appends them to `samples.md`, in place of what a killed run wrote from this step
/// on.
fn sample(run_loop: &mut TrainLoop, observe: Observer) -> Result<()> {
    let prepared = run_loop.prepared;
    let generate = &prepared.session.recipe.generate;
    if generate.prompts.is_empty() || run_loop.sampled == Some(run_loop.state.step) {
        return Ok(());
    }
    run_loop.sampled = Some(run_loop.state.step);
    observe(&Event::Phase("answering the prompts"));
    let decoder = prepared.session.decoder()?;
    let tokenizer = &prepared.tokenizer;
    let reader = Reader::new(tokenizer, prepared.template.lead(), &generate.settings);
    let reader = reader.marked(prepared.template.marks());
    let (stops, pad) = (prepared.template.stops(), tokenizer.pad);
    let generator = Generator::new(&prepared.network, &decoder, &generate.settings, stops, pad)?;
    let generator = generator.stopping(reader)?;
    let mut answers = Vec::new();
    for prompt in &generate.prompts {
        let field = if prepared.on_text() { "text" } else { "instruction" };
        let record = Record::from_iter([(field.to_owned(), prompt.clone().into())]);
        let ids = encoder(&prepared.session, tokenizer, &prepared.template).prompt(&record)?;
        let new = generator.generate(&[ids], prepared.session.recipe.seed, &mut |_, _| {})?;
        answers.push((prompt.clone(), reader.text(&new[0])?.trim().to_owned()));
    }
    let path = run_loop.run.samples();
    let mut text = std::fs::read_to_string(&path).unwrap_or_default();
    text.truncate(before(&text, run_loop.state.step));
    let _ = writeln!(text, "{SECTION}{}\n\n{}\n", run_loop.state.step, standing(run_loop)?);
    for (prompt, answer) in &answers {
        let _ = writeln!(text, "**{prompt}**\n\n{answer}\n");
    }
    write_bytes(&path, text.as_bytes())?;
    observe(&Event::Samples { step: run_loop.state.step, answers: &answers });
    Ok(())
}

/// Where the run stands, in a line: the same whether or not it was resumed.
fn standing(run_loop: &TrainLoop) -> Result<String> {
    let state = &run_loop.state;
    let mut parts = vec![format!("epoch {:.2}", run_loop.metrics().epoch)];
    parts.extend(state.last_loss.map(|loss| format!("training loss {loss:.4}")));
    parts.extend(run_loop.loaded.map(|(_, step)| format!("with the weights of step {step}")));
    let step = run_loop.loaded.map_or(state.step, |(_, step)| step);
    let lines = read_metrics(&run_loop.run.metrics())?;
    let loss = lines.iter().rev().find_map(|line| line.eval_loss.filter(|_| line.step == step));
    parts.extend(loss.map(|loss| format!("validation loss {loss:.4}")));
    Ok(parts.join(", "))
}

const SECTION: &str = "## Step ";

/// Where the sections of the steps before this one end.
fn before(samples: &str, step: u64) -> usize {
    let mut at = 0;
    for line in samples.split_inclusive('\n') {
        let number = line.strip_prefix(SECTION).and_then(|number| number.trim().parse::<u64>().ok());
        if number.is_some_and(|number| number >= step) {
            break;
        }
        at += line.len();
    }
    at
}

#[cfg(test)]
mod tests {
    #[test]
    fn samples_of_a_step_are_there_once() {
        let samples = "## Step 4\n\n**a**\n\n## Step by step\n\n## Step 8\n\n**a**\n";
        let kept = |step| &samples[..super::before(samples, step)];
        assert_eq!((kept(4), kept(9)), ("", samples));
        assert!(kept(5).ends_with("step\n\n") && kept(5) == kept(8));
    }
}
