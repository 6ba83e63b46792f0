//! Tables that fit the report.

use console::{Alignment, measure_text_width, pad_str, style, truncate_str};
use welltrack_stack::ui;

/// The widest line, in columns.
pub(super) const WIDTH: usize = 100;

/// [`ui::table`] under a dim head, with these columns to the right; no line is wider than [`WIDTH`].
pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>, right: &[usize]) -> String {
    let head: Vec<String> = head.iter().map(|&title| style(title).dim().to_string()).collect();
    let mut rows: Vec<Vec<String>> =
        std::iter::once(head).filter(|head| !head.is_empty()).chain(rows).collect();
    for &column in right {
        let width = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| measure_text_width(cell))
            .max()
            .unwrap_or(0);
        for cell in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
            *cell = pad_str(cell, width, Alignment::Right, None).into_owned();
        }
    }
    ui::table(&rows).lines().map(|line| format!("{}\n", truncate_str(line, WIDTH, "…"))).collect()
}
