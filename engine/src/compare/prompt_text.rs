//! Prompts as they are shown.

/// Takes the lines off that all prompts begin and end with: the template's. A prompt alone is left as it is.
pub(super) fn shorten(mut prompts: Vec<&mut String>) {
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
        assert_eq!(shortened(&["What is a?", "What is b?"]), ["What is a?", "What is b?"]);
        assert_eq!(shortened(&["a\nb"]), ["a\nb"]);
        assert_eq!(shortened(&["a\nb", "a\nb"]), ["a\nb", "a\nb"]);
        assert_eq!(shortened(&["a\nb\nc", "a\nc"]), ["a\nb\nc", "a\nc"]);
    }
}
