//! What is different between two lists of lines, as a list that a person reads from the top: `-` before, `+` now.

/// Lines of context before and behind what is different.
const CONTEXT: usize = 2;
/// Where more lines than this are different in one piece, they are not paired with each other.
const MOST_PAIRED: usize = 1_000;

/// Lines that were, that are, and a few around them that stayed.
pub(in crate::cli) fn lines(before: &[&str], now: &[&str]) -> Vec<String> {
    let mut marked: Vec<(char, &str)> = Vec::new();
    let start = before.iter().zip(now).take_while(|(a, b)| a == b).count();
    let rest = before.len().min(now.len()) - start;
    let end = before.iter().rev().zip(now.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (head, old) = before.split_at(start);
    let (old, tail) = old.split_at(old.len() - end);
    let new = now.get(start..now.len() - end).unwrap_or_default();
    marked.extend(head.iter().map(|line| (' ', *line)));
    pair(old, new, &mut marked);
    marked.extend(tail.iter().map(|line| (' ', *line)));
    shortened(&marked)
}

/// Keeps the longest common lines, and marks the others.
fn pair<'a>(old: &[&'a str], new: &[&'a str], marked: &mut Vec<(char, &'a str)>) {
    if old.len() > MOST_PAIRED || new.len() > MOST_PAIRED {
        marked.extend(old.iter().map(|line| ('-', *line)));
        marked.extend(new.iter().map(|line| ('+', *line)));
        return;
    }
    // common[i][j]: how many lines old[i..] and new[j..] have in common.
    let width = new.len() + 1;
    let mut common = vec![0_usize; (old.len() + 1) * width];
    let at = |common: &[usize], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, was) in old.iter().enumerate().rev() {
        for (j, is) in new.iter().enumerate().rev() {
            let best = if was == is {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (Some(was), Some(is)) if was == is => {
                marked.push((' ', was));
                (i, j) = (i + 1, j + 1);
            }
            (Some(was), is) if is.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                marked.push(('-', was));
                i += 1;
            }
            (_, Some(is)) => {
                marked.push(('+', is));
                j += 1;
            }
            _ => return,
        }
    }
}

/// Leaves out what stayed, but for a few lines around what did not.
fn shortened(marked: &[(char, &str)]) -> Vec<String> {
    let is_near = |index: usize| {
        let around = marked.get(index.saturating_sub(CONTEXT)..(index + CONTEXT + 1).min(marked.len()));
        around.is_some_and(|lines| lines.iter().any(|(mark, _)| *mark != ' '))
    };
    let mut shown = Vec::new();
    let mut left_out = false;
    for (index, (mark, line)) in marked.iter().enumerate() {
        if is_near(index) {
            if std::mem::take(&mut left_out) {
                shown.push("...".to_owned());
            }
            shown.push(format!("{mark} {line}").trim_end().to_owned());
        } else {
            left_out = true;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stayed_is_left_out_but_for_what_is_near() {
        let before = ["a", "b", "c", "d", "e", "f", "g"];
        let now = ["a", "b", "c", "d", "x", "f", "g"];
        assert_eq!(lines(&before, &now), ["...", "  c", "  d", "- e", "+ x", "  f", "  g"]);
    }

    #[test]
    fn lines_that_came_and_went() {
        assert_eq!(lines(&["a", "b"], &["b", "c"]), ["- a", "  b", "+ c"]);
        assert_eq!(lines(&[], &["a"]), ["+ a"]);
        assert_eq!(lines(&["a"], &[]), ["- a"]);
        assert_eq!(lines(&["a", "a"], &["a"]), ["  a", "- a"]);
        assert!(lines(&["a"], &["a"]).is_empty());
    }
}
