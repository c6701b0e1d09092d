//! What the user may have meant.

/// The candidate that `given` is most likely a misspelling of; none if it differs in more than a third of its letters.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |s: &str| s.to_lowercase().replace(['_', '-', ' ', '.'], "");
    let wanted = plain(given);
    let allowed = (wanted.chars().count() / 3).max(1);
    let rank = |name: &'a str| {
        let candidate = plain(name);
        let distance = match strsim::damerau_levenshtein(&wanted, &candidate) {
            // `lr` is `learning_rate`, `valid` is `validation`
            _ if wanted.len() > 1 && wanted == initials(name) => 0,
            d if d > 1 && wanted.len() > 2 && candidate.starts_with(&wanted) => 1,
            d => d,
        };
        let near = distance <= allowed && distance < candidate.chars().count();
        // of two that are equally far, the one that contains what was given: `gpu` is rather `wgpu` than `cpu`
        near.then_some(((distance, !candidate.contains(&wanted)), name))
    };
    candidates.into_iter().filter_map(rank).min_by_key(|(rank, _)| *rank).map(|(_, name)| name)
}

fn initials(name: &str) -> String {
    name.split(['_', '-']).filter_map(|word| word.chars().next()).collect()
}

/// `a`, `b or c`, `a, b or c`.
pub fn either<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<_> = items.iter().map(AsRef::as_ref).collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_likeliest_is_suggested() {
        let keys = ["r", "learning_rate", "validation", "cpu", "wgpu", "weight_decay"];
        let suggested =
            ["lr", "LearningRate", "learning_rat", "valid", "gpu", "wieght_decay"].map(|k| nearest(k, keys));
        let meant = ["learning_rate", "learning_rate", "learning_rate", "validation", "wgpu", "weight_decay"];
        assert_eq!(suggested, meant.map(Some));
        assert_eq!(["momentum", "x", "cuda"].map(|k| nearest(k, keys)), [None; 3]);
    }
}
