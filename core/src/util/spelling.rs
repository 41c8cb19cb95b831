//! Finds the known name that a misspelled one most likely stands for.

/// Longest name that is compared, in characters. Comparing takes time by the square of it.
const MAX_LENGTH: usize = 64;

/// Returns the candidate nearest to the word, if it is near enough to be what was meant. Of equally
/// near candidates it is the first.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    if word.is_empty() || word.len() > MAX_LENGTH {
        return None;
    }
    let farthest = (word.len() / 3).clamp(1, 4);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other: Vec<char> = candidate.to_lowercase().chars().collect();
        if other.len().abs_diff(word.len()) > farthest || other.len() > MAX_LENGTH {
            continue;
        }
        let found = distance(&word, &other);
        if found <= farthest && best.is_none_or(|(nearest, _)| found < nearest) {
            best = Some((found, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Returns a help text with the nearest candidate.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    closest(word, candidates).map(|name| format!("did you mean `{name}`?"))
}

/// Returns the number of inserted, removed, replaced or swapped characters between two words.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (nth, from) in left.iter().enumerate() {
        let mut next = vec![nth.saturating_add(1)];
        for (at, to) in right.iter().enumerate() {
            let value = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX);
            let replaced = value(&row, at).saturating_add(usize::from(from != to));
            let removed = value(&row, at.saturating_add(1)).saturating_add(1);
            let inserted = value(&next, at).saturating_add(1);
            let mut found = replaced.min(removed).min(inserted);
            let is_swapped = |nth: usize, at: usize| {
                left.get(nth) == right.get(at.saturating_add(1))
                    && left.get(nth.saturating_add(1)) == right.get(at)
            };
            if let (Some(nth), Some(at)) = (nth.checked_sub(1), at.checked_sub(1))
                && is_swapped(nth, at)
            {
                found = found.min(value(&before, at).saturating_add(1));
            }
            next.push(found);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_is_found() {
        for (word, candidates, found) in [
            ("features", &["meter", "feature"][..], Some("feature")),
            ("advise", &["id", "code", "advice"], Some("advice")),
            (
                "campaign.sned",
                &["read", "campaign.send"],
                Some("campaign.send"),
            ),
            ("Trial", &["trial"], Some("trial")),
            ("nigth_quiet", &["night_quiet"], Some("night_quiet")),
            ("codes", &["code", "codec"], Some("code")),
            ("", &["a"], None),
            ("x", &["created_by"], None),
            ("rocket", &["created_by", "account"], None),
        ] {
            assert_eq!(closest(word, candidates.iter().copied()), found, "{word}");
        }
    }

    #[test]
    fn swapped_letters_are_one_step() {
        let count = |left: &str, right: &str| {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            distance(&chars(left), &chars(right))
        };
        assert_eq!(count("sned", "send"), 1);
        assert_eq!(count("", "abc"), 3);
        assert_eq!(count("kitten", "sitting"), 3);
        assert_eq!(count("same", "same"), 0);
    }
}
