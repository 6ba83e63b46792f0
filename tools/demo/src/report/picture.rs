//! The same charts as one PNG, for where a page can't go.
//!
//! Promises: the very drawings of the page, rendered by resvg with a font of its own, so that every machine gives the same
//! picture. Stops at two pixels for one of the page.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::canvas::WIDTH;
use super::charts::Chart;
use super::data::Person;
use super::page::{escaped, extent, sentences};
use crate::figures::wrapped;

/// Between the columns and around everything.
const MARGIN: u32 = 20;
const COLUMNS: u32 = 2;
/// Pixels of the picture for one of the page.
const ZOOM: f32 = 2.0;
/// About as much text as fits a line.
const LINE: usize = 122;

/// Everything of one person.
pub(super) fn png(person: &Person, charts: &[Chart], caveat: &str) -> Result<Vec<u8>> {
    let mut options = Options { font_family: "DejaVu Sans".to_owned(), ..Options::default() };
    let fonts = options.fontdb_mut();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    let tree = Tree::from_str(&sheet(person, charts, caveat), &options).context("the picture is no SVG")?;
    let size = tree.size();
    let mut pixels = Pixmap::new((size.width() * ZOOM) as u32, (size.height() * ZOOM) as u32)
        .context("the picture has no size")?;
    resvg::render(&tree, Transform::from_scale(ZOOM, ZOOM), &mut pixels.as_mut());
    pixels.encode_png().context("could not write the picture")
}

/// One SVG of all charts, each in the column that is shorter so far, with the words above and below.
fn sheet(person: &Person, charts: &[Chart], caveat: &str) -> String {
    let mut shapes = String::new();
    // Writing to a String cannot fail.
    let mut text = |y: u32, style: &str, said: &str| {
        let said = escaped(said);
        let _ = writeln!(shapes, "<text x=\"{MARGIN}\" y=\"{y}\" {style}>{said}</text>");
    };
    let mut top = MARGIN + 18;
    text(top, "font-size=\"20\" font-weight=\"bold\" fill=\"#1F2937\"", &person.name);
    top += 20;
    text(top, QUIET, &extent(&person.days));
    for line in sentences(person).iter().flat_map(|said| wrapped(said, LINE)) {
        top += 18;
        text(top, "font-size=\"12\" fill=\"#1F2937\"", &line);
    }
    top += MARGIN;
    let mut ends = [top; COLUMNS as usize];
    let mut drawings = String::new();
    for chart in charts {
        let column = if ends[1] < ends[0] { 1 } else { 0 };
        let _ = writeln!(
            drawings,
            "<svg x=\"{}\" y=\"{}\" width=\"{WIDTH}\" height=\"{}\" {}>\n{}</svg>",
            MARGIN + column as u32 * (WIDTH + MARGIN),
            ends[column],
            chart.drawing.height,
            chart.drawing.view_box(),
            chart.drawing.shapes,
        );
        ends[column] += chart.drawing.height + MARGIN;
    }
    let mut bottom = ends.into_iter().max().unwrap_or(top);
    for line in wrapped(caveat, LINE) {
        text(bottom, QUIET, &line);
        bottom += 17;
    }
    let (width, height) = (MARGIN + COLUMNS * (WIDTH + MARGIN), bottom + MARGIN);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#FFFFFF\"/>\n{shapes}{drawings}</svg>\n"
    )
}

const QUIET: &str = "font-size=\"12\" fill=\"#5B6472\"";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::caveat;
    use crate::report::tests::somebody;
    use crate::weights::tests::todays;

    fn ink(name: &str) -> usize {
        let png = png(&somebody(name, 0), &[], &caveat(&todays())).expect("a picture");
        let picture = Pixmap::decode_png(&png).expect("a picture");
        picture.pixels().iter().filter(|pixel| pixel.red() < 128).count()
    }

    #[test]
    fn words_are_drawn_with_a_font_that_no_machine_has_to_have() {
        let nobody = ink("");
        assert!(nobody > 500, "the caveat alone is {nobody} dark pixels");
        for name in ["Eleni Markou", "Ελένη Μάρκου", "</svg><script>&amp;\u{0}\u{1b}\u{ffff}\"'"] {
            assert!(ink(name) > nobody + 500, "{name} is not drawn");
        }
    }
}
