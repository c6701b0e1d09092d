//! Sampled answers.

use super::gathered::Gathered;
use framework_report::page::Page;
use std::collections::BTreeSet;

/// The answers of a step.
#[derive(Debug, PartialEq)]
pub(super) struct Sampled {
    pub step: u64,
    /// Prompts and answers.
    pub answers: Vec<(String, String)>,
}

/// So many steps are shown: the first, the last, and some between.
const STEPS: usize = 6;

/// The sections of `samples.md`, in which these prompts were answered.
pub(super) fn sampled(text: &str, prompts: &[&str]) -> Vec<Sampled> {
    let sections = text.split("## Step ").skip(1);
    let section = |section: &str| {
        let (step, mut rest) = section.split_once('\n')?;
        let mut answers = Vec::new();
        for (i, prompt) in prompts.iter().enumerate() {
            let begin = format!("**{prompt}**\n\n");
            rest = &rest[rest.find(&begin)? + begin.len()..];
            let next = prompts.get(i + 1).map(|next| format!("\n\n**{next}**\n\n"));
            let end = next.and_then(|next| rest.find(&next)).unwrap_or(rest.len());
            answers.push(((*prompt).to_owned(), rest[..end].trim().to_owned()));
        }
        Some(Sampled { step: step.trim().parse().ok()?, answers })
    };
    sections.filter_map(section).collect()
}

/// What becomes of each prompt's answer.
pub(super) fn over_time(page: &mut Page, run: &Gathered) {
    let Some(last) = run.samples.last() else { return };
    page.heading("Answers over time");
    let count = run.samples.len();
    let chosen: BTreeSet<usize> =
        (0..STEPS.min(count)).map(|i| i * (count - 1) / (STEPS.min(count) - 1).max(1)).collect();
    for (i, (prompt, _)) in last.answers.iter().enumerate() {
        let answer = |at: &usize| {
            let sampled = &run.samples[*at];
            Some((format!("step {}", sampled.step), sampled.answers.get(i)?.1.clone()))
        };
        page.answers(prompt, &chosen.iter().filter_map(answer).collect::<Vec<_>>());
    }
}

/// What several runs answer at their end to the prompts that they share.
pub(super) fn side_by_side(page: &mut Page, names: &[String], runs: &[Gathered]) {
    let last = |run: &Gathered, prompt: &str| {
        let sampled = run.samples.last()?;
        let (_, answer) = sampled.answers.iter().find(|(asked, _)| asked == prompt)?;
        Some((sampled.step, answer.clone()))
    };
    let prompts = runs.first().and_then(|run| run.samples.last()).map(|sampled| &sampled.answers).into_iter().flatten();
    let mut shared = prompts.filter(|(prompt, _)| runs.iter().all(|run| last(run, prompt).is_some())).peekable();
    if shared.peek().is_some() {
        page.heading("Answers at the end");
    }
    for (prompt, _) in shared {
        let answers = names.iter().zip(runs).filter_map(|(name, run)| {
            let (step, answer) = last(run, prompt)?;
            Some((format!("{name}, step {step}"), answer))
        });
        page.answers(prompt, &answers.collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_by_their_prompts() {
        let text = "## Step 2\n\nepoch 1.00\n\n**a?**\n\nx\n\n**bold**\n\ny\n\n**b?**\n\nz\n\n## Step 4\n\n**a?**\n\n\n\n**b?**\n\nw\n\n";
        let found = sampled(text, &["a?", "b?"]);
        let answers = |step: usize| found[step].answers.iter().map(|(_, answer)| answer.as_str()).collect::<Vec<_>>();
        assert_eq!((found.len(), found[0].step, found[1].step), (2, 2, 4));
        assert_eq!((answers(0), answers(1)), (vec!["x\n\n**bold**\n\ny", "z"], vec!["", "w"]));
        // A run that was resumed with other prompts has sections without them.
        assert_eq!(sampled(text, &["c?"]), []);
    }
}
