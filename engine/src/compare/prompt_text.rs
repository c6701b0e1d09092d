//! Prompts as they are shown.

use std::collections::BTreeMap;

/// Takes the lines off that all prompts with the same first line begin and end with: the template's, which may have another
/// first line for rows with an input. A prompt alone is left as it is.
pub(super) fn shorten(prompts: Vec<&mut String>) {
    let mut alike: BTreeMap<String, Vec<&mut String>> = BTreeMap::new();
    for prompt in prompts {
        let first = prompt.lines().next().unwrap_or_default().to_owned();
        alike.entry(first).or_default().push(prompt);
    }
    alike.into_values().for_each(without_shared_lines);
}

fn without_shared_lines(mut prompts: Vec<&mut String>) {
    let lines: Vec<Vec<&str>> = prompts.iter().map(|prompt| prompt.lines().collect()).collect();
    let Some((first, others)) = lines.split_first().filter(|(_, others)| !others.is_empty()) else { return };
    let shortest = lines.iter().map(Vec::len).min().unwrap_or(0);
    let before = (0..shortest).take_while(|i| others.iter().all(|other| other[*i] == first[*i])).count();
    let at_end = |lines: &[&str], i: usize| lines[lines.len() - 1 - i].to_owned();
    let room = shortest - before;
    let after = (0..room).take_while(|i| others.iter().all(|other| at_end(other, *i) == at_end(first, *i))).count();
    let own: Vec<String> =
        lines.iter().map(|lines| lines[before..lines.len() - after].join("\n").trim().to_owned()).collect();
    // Prompts that are all the same have nothing of their own.
    if own.iter().all(|text| !text.is_empty()) {
        prompts.iter_mut().zip(own).for_each(|(prompt, own)| **prompt = own);
    }
}

#[cfg(test)]
mod tests {
    use super::shorten;

    fn shortened(prompts: &[&str]) -> Vec<String> {
        let mut prompts: Vec<String> = prompts.iter().map(|prompt| (*prompt).to_owned()).collect();
        shorten(prompts.iter_mut().collect());
        prompts
    }

    #[test]
    fn lines_that_all_share_are_the_template_s() {
        assert_eq!(
            shortened(&["Below\n\n# Q:\nWho?\n\n# A:", "Below\n\n# Q:\nWhat\nis it?\n\n# A:"]),
            ["Who?", "What\nis it?"]
        );
        let with_input = ["X\nWho?\nA:", "X with\nWhat?\nin\nA:", "X\nWhy?\nA:", "X with\nHow?\nout\nA:"];
        assert_eq!(shortened(&with_input), ["Who?", "What?\nin", "Why?", "How?\nout"]);
        assert_eq!(shortened(&["What is a?", "What is b?"]), ["What is a?", "What is b?"]);
        assert_eq!(shortened(&["a\nb"]), ["a\nb"]);
        assert_eq!(shortened(&["a\nb", "a\nb"]), ["a\nb", "a\nb"]);
        assert_eq!(shortened(&["a\nb\nc", "a\nc"]), ["a\nb\nc", "a\nc"]);
    }
}
