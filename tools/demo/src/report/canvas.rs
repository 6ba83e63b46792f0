//! What every chart is made of: paper of one width, two axes, marks, and a legend of the same marks.
//!
//! Promises: SVG that a phone shows at its own size and resvg can turn into pixels; positions to a fraction of a pixel; a day
//! without a value breaks a line instead of pulling it down. Stops at shapes: what they mean is [`super::charts`]'s.

use std::fmt::Debug;
use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;

/// The width of every chart, in pixels of the page: that of a phone without its margins.
pub(super) const WIDTH: u32 = 360;
/// The backend draws at whole numbers: one pixel of the page is so many of them.
pub(super) const SCALE: u32 = 8;
/// Where the plots begin and end, from the left; room for "15,000" before them.
const PLOT: Range<f64> = 52.0..352.0;
/// More than any chart is high; what is not used is cut off.
const PAPER: u32 = 2000;
/// A row of the legend.
const ROW: f64 = 16.0;

/// Okabe and Ito's colours, which people tell apart however they see colours, and greys. The page's style sheet replaces some of
/// them at night.
pub(super) mod colour {
    use plotters::style::RGBColor;

    pub(in super::super) const INK: RGBColor = RGBColor(0x1F, 0x29, 0x37);
    pub(in super::super) const MUTED: RGBColor = RGBColor(0x5B, 0x64, 0x72);
    pub(in super::super) const GRID: RGBColor = RGBColor(0xE3, 0xE6, 0xEB);
    pub(in super::super) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
    pub(in super::super) const LEARNING: RGBColor = RGBColor(0x9A, 0xA2, 0xAF);
    pub(in super::super) const NOTHING: RGBColor = RGBColor(0x9B, 0xA3, 0xB0);
    pub(in super::super) const TOO_LITTLE: RGBColor = RGBColor(0xE6, 0x9F, 0x00);
    pub(in super::super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
    pub(in super::super) const SKY: RGBColor = RGBColor(0x56, 0xB4, 0xE9);
    pub(in super::super) const GREEN: RGBColor = RGBColor(0x00, 0x9E, 0x73);
    pub(in super::super) const RED: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
    pub(in super::super) const PURPLE: RGBColor = RGBColor(0xCC, 0x79, 0xA7);
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plotted<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;

/// A shape for one value, or for a legend's sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Dot,
    Square,
    Triangle,
    Ring,
    Diamond,
    Line,
    Dashes,
    Band,
}

/// An entry of a legend.
pub(super) struct Key {
    pub(super) mark: Mark,
    pub(super) colour: RGBColor,
    pub(super) says: String,
}

impl Key {
    pub(super) fn new(mark: Mark, colour: RGBColor, says: impl Into<String>) -> Self {
        Self { mark, colour, says: says.into() }
    }
}

/// Paper with a title and a legend; the plots go below.
pub(super) struct Canvas<'a> {
    area: Area<'a>,
    /// Where there is nothing yet, from the top.
    free: f64,
}

/// SVG shapes on [`WIDTH`] x `height` pixels of the page, each of them [`SCALE`] units.
pub(super) struct Drawing {
    pub(super) height: u32,
    pub(super) shapes: String,
}

impl Drawing {
    /// The attribute that makes an `svg` element show it as a whole.
    pub(super) fn view_box(&self) -> String {
        format!("viewBox=\"0 0 {} {}\"", WIDTH * SCALE, self.height * SCALE)
    }
}

/// Draws a chart as high as what is painted.
pub(super) fn draw(paint: impl FnOnce(&mut Canvas<'_>) -> Result<()>) -> Result<Drawing> {
    let mut svg = String::new();
    let height = {
        let area = SVGBackend::with_string(&mut svg, (WIDTH * SCALE, PAPER * SCALE)).into_drawing_area();
        let mut canvas = Canvas { area, free: 0.0 };
        paint(&mut canvas)?;
        canvas.area.present().map_err(drawing)?;
        canvas.free.ceil() as u32
    };
    Ok(Drawing { height, shapes: inside(&svg).to_owned() })
}

/// The shapes of a drawing, without the element around them.
fn inside(svg: &str) -> &str {
    let shapes = svg.split_once(">\n").map_or("", |(_, rest)| rest);
    shapes.rsplit_once("</svg>").map_or(shapes, |(shapes, _)| shapes)
}

impl<'a> Canvas<'a> {
    /// The heading, and below it what the marks are: two entries a row.
    pub(super) fn head(&mut self, title: &str, keys: &[Key]) -> Result<()> {
        self.text((2.0, 2.0), title, bold(14.0))?;
        self.free = 24.0;
        for pair in keys.chunks(2) {
            for (key, x) in pair.iter().zip([4.0, 184.0]) {
                let y = self.free + ROW / 2.0;
                self.sample(key, (x, y))?;
                self.text((x + 22.0, y), &key.says, plain(11.0).pos(Pos::new(HPos::Left, VPos::Center)))?;
            }
            self.free += ROW;
        }
        self.free += 4.0;
        Ok(())
    }

    fn sample(&self, key: &Key, (x, y): (f64, f64)) -> Result<()> {
        let (from, to) = (units((x, y)), units((x + 16.0, y)));
        match key.mark {
            Mark::Line => self.line(&[from, to], key.colour, 2.0),
            Mark::Dashes => {
                self.line(&[from, units((x + 6.0, y))], key.colour, 2.0)?;
                self.line(&[units((x + 10.0, y)), to], key.colour, 2.0)
            }
            Mark::Band => self.fill(
                vec![
                    units((x, y - 5.0)),
                    units((x + 16.0, y - 5.0)),
                    units((x + 16.0, y + 5.0)),
                    units((x, y + 5.0)),
                ],
                key.colour,
            ),
            mark => self.stamp(units((x + 8.0, y)), mark, key.colour, 1.2),
        }
    }

    /// Two axes in the next so many pixels; `what` names the values, in bold what they belong to.
    pub(super) fn plot(
        &mut self,
        height: f64,
        (x, y): (Axis, Axis),
        (name, what): (&str, &str),
    ) -> Result<Plot<'a>> {
        if !name.is_empty() {
            self.free += 6.0;
            self.text((2.0, self.free), name, bold(12.0))?;
        }
        // The topmost name of a value reaches above the plot.
        let top = self.free + 22.0;
        self.text(
            (352.0, self.free + 1.0),
            what,
            plain(11.0).color(&colour::MUTED).pos(Pos::new(HPos::Right, VPos::Top)),
        )?;
        let [left, right] = [PLOT.start, PLOT.end].map(unit);
        let size = (right.unsigned_abs(), unit(height).unsigned_abs());
        let area = self.area.clone().shrink((0, unit(top)), size);
        let mut chart = ChartBuilder::on(&area)
            .y_label_area_size(left)
            .build_cartesian_2d(x.clone(), y)
            .map_err(drawing)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(colour::GRID.stroke_width(SCALE))
            .axis_style(TRANSPARENT)
            .y_label_style(plain(11.0).color(&colour::MUTED))
            .set_tick_mark_size(LabelAreaPosition::Left, unit(4.0))
            .draw()
            .map_err(drawing)?;
        self.free = top + height + 6.0;
        Ok(Plot { chart, x })
    }

    /// The names of the days below the plot that was drawn last, and what they are.
    pub(super) fn days(&mut self, plot: &Plot<'_>, what: &str) -> Result<()> {
        for (place, name) in &plot.x.ticks {
            let (x, _) = plot.at(*place, 0.0);
            // Near an end a name leans inwards.
            let x = (f64::from(x) / f64::from(SCALE)).clamp(18.0, 336.0);
            let style = plain(11.0).color(&colour::MUTED).pos(Pos::new(HPos::Center, VPos::Top));
            self.text((x, self.free), name, style)?;
        }
        let style = plain(11.0).color(&colour::MUTED).pos(Pos::new(HPos::Right, VPos::Top));
        self.text((352.0, self.free + 16.0), what, style)?;
        self.free += 34.0;
        Ok(())
    }

    /// A mark at a place of a plot.
    pub(super) fn stamp(&self, at: (i32, i32), mark: Mark, colour: RGBColor, size: f64) -> Result<()> {
        let r = unit(2.2 * size);
        let (x, y) = at;
        let result = match mark {
            Mark::Square => {
                self.area.draw(&Rectangle::new([(x - r, y - r), (x + r, y + r)], colour.filled()))
            }
            Mark::Triangle => self.area.draw(&TriangleMarker::new(at, r * 3 / 2, colour.filled())),
            Mark::Ring => self.area.draw(&Circle::new(at, r, colour.stroke_width(SCALE))),
            Mark::Diamond => {
                let r = r * 2;
                self.area.draw(&Polygon::new(
                    vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)],
                    colour.filled(),
                ))
            }
            _ => self.area.draw(&Circle::new(at, r, colour.filled())),
        };
        result.map_err(drawing)
    }

    /// A line through places of a plot.
    pub(super) fn line(&self, places: &[(i32, i32)], colour: RGBColor, width: f64) -> Result<()> {
        let style = colour.stroke_width(unit(width).unsigned_abs());
        self.area.draw(&PathElement::new(places.to_vec(), style)).map_err(drawing)
    }

    /// The head of an arrow to the right, for what goes on outside of the picture.
    pub(super) fn arrow(&self, (x, y): (i32, i32), colour: RGBColor) -> Result<()> {
        let back = x - unit(5.0);
        self.line(&[(back, y - unit(4.0)), (x, y), (back, y + unit(4.0))], colour, 1.75)
    }

    /// A dashed line through places of a plot.
    pub(super) fn dashes(&self, places: &[(i32, i32)], colour: RGBColor, width: f64) -> Result<()> {
        let style = colour.stroke_width(unit(width).unsigned_abs());
        let path = DashedPathElement::new(places.to_vec(), unit(5.0), unit(3.0), style);
        self.area.draw(&path).map_err(drawing)
    }

    /// A surface that lets what is below it shine through.
    pub(super) fn fill(&self, corners: Vec<(i32, i32)>, colour: RGBColor) -> Result<()> {
        self.area.draw(&Polygon::new(corners, colour.mix(0.2))).map_err(drawing)
    }

    /// Between a lower and an upper edge, each from left to right.
    pub(super) fn band(&self, low: &[(i32, i32)], high: &[(i32, i32)], colour: RGBColor) -> Result<()> {
        self.fill(low.iter().chain(high.iter().rev()).copied().collect(), colour)
    }

    pub(super) fn text(&self, at: (f64, f64), text: &str, style: TextStyle<'_>) -> Result<()> {
        self.area.draw_text(text, &style, units(at)).map_err(drawing)
    }
}

/// Two axes on the paper.
pub(super) struct Plot<'a> {
    chart: Plotted<'a>,
    x: Axis,
}

impl Plot<'_> {
    /// Where a value lies, for drawing on the paper.
    pub(super) fn at(&self, x: f64, y: f64) -> (i32, i32) {
        self.chart.backend_coord(&(x, y))
    }
}

pub(super) fn plain(size: f64) -> TextStyle<'static> {
    // Written as size / 1.24 by the backend.
    ("sans-serif", size * f64::from(SCALE) * 1.24).into_font().color(&colour::INK)
}

pub(super) fn bold(size: f64) -> TextStyle<'static> {
    ("sans-serif", size * f64::from(SCALE) * 1.24).into_font().style(FontStyle::Bold).color(&colour::INK)
}

fn unit(pixels: f64) -> i32 {
    (pixels * f64::from(SCALE)).round() as i32
}

fn units((x, y): (f64, f64)) -> (i32, i32) {
    (unit(x), unit(y))
}

fn drawing(error: impl Debug) -> anyhow::Error {
    anyhow!("could not draw a chart: {error:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inside_of_a_drawing_is_its_shapes() {
        assert_eq!(inside("<svg width=\"1\">\n<circle r=\"2\"/>\n</svg>\n"), "<circle r=\"2\"/>\n");
        assert_eq!(inside(""), "");
    }
}
