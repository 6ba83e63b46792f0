//! Figures as people read them: grouped, rounded, drawn.
//!
//! Promises: any number and any days have a text, of a width that depends on their size alone. Stops at text:
//! colours and columns are [`super::print`]'s.

/// Days in one bar of a sparkline.
pub(super) const DAYS_PER_BAR: usize = 2;

/// One bar for every [`DAYS_PER_BAR`] days, between the least and the greatest; a blank where nothing was
/// measured.
pub(super) fn sparkline(days: &[Option<f64>]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let means: Vec<Option<f64>> = days
        .chunks(DAYS_PER_BAR)
        .map(|chunk| {
            let known: Vec<f64> = chunk.iter().flatten().copied().collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        })
        .collect();
    let known = || means.iter().flatten().copied();
    let (least, greatest) =
        (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let bar = |value: f64| match greatest - least {
        // One value, or always the same: the middle.
        range if range <= 0.0 => BARS[3],
        range => BARS[(((value - least) / range * 7.0).round() as usize).min(7)],
    };
    means.into_iter().map(|mean| mean.map_or(' ', bar)).collect()
}

/// A bar of so many of `width` columns, to an eighth of one; what is not nothing has at least an eighth.
pub(super) fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let eighths = eighths.max(usize::from(share > 0.0));
    let end = (eighths % 8).checked_sub(1).map(|index| EIGHTHS[index]);
    "█".repeat(eighths / 8).chars().chain(end).collect()
}

/// A number with as many decimals as one of the size of `scale` deserves.
pub(super) fn number(value: f64, scale: f64) -> String {
    match scale.abs() {
        1000.0.. => grouped(value.round() as i64),
        100.0.. => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

/// 12,345.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The text in lines of at most so many characters, broken at blanks; a longer word has a line of its own.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_sparkline_rises_with_its_values_and_leaves_gaps() {
        assert_eq!(
            sparkline(&[Some(0.0), Some(0.0), None, None, Some(7.0), None, Some(3.0), Some(5.0)]),
            "▁ █▅"
        );
        assert_eq!(sparkline(&[Some(5.0), None, Some(5.0)]), "▄▄");
        assert_eq!(sparkline(&[None; 60]), " ".repeat(30));
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn a_bar_is_as_long_as_its_share_and_only_nothing_has_none() {
        assert_eq!(bar(0.0, 4), "");
        assert_eq!(bar(1e-9, 4), "▏");
        assert_eq!(bar(0.375, 4), "█▌");
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!((bar(7.0, 4), bar(f64::NAN, 4)), ("████".to_owned(), String::new()));
    }

    #[test]
    fn text_is_broken_at_blanks_only() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a-very-long-word b", 5), ["a-very-long-word", "b"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    proptest! {
        #[test]
        fn grouping_only_adds_commas(number: i64) {
            let text = grouped(number);
            prop_assert_eq!(text.replace(',', ""), number.to_string());
            prop_assert!(text.trim_start_matches('-').split(',').skip(1).all(|group| group.len() == 3));
        }

        #[test]
        fn any_days_make_a_bar_for_each_pair(
            days in prop::collection::vec(prop::option::of(-1e9..1e9), 0..100)
        ) {
            prop_assert_eq!(sparkline(&days).chars().count(), days.len().div_ceil(2));
        }
    }
}
