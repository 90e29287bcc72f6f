//! plotters' SVG backend with positions in fractional pixels, and the few shapes that figures and
//! charts are drawn with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{
    Circle, DashedPathElement, Drawable, PathElement, PointCollection, Polygon, Rectangle, Text,
};
/// Where a text stands relative to its point.
pub use plotters::style::text_anchor::HPos as Anchor;
use plotters::style::text_anchor::{Pos, VPos};
use plotters::style::{
    Color as _, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, RGBColor, ShapeStyle,
    TextStyle,
};

use super::figure::{Figure, escape};
use super::palette::{Color, Dash, MUTED, Marker, Style, WHITE, WRONG};
use super::text::{Font, Paragraph};
use crate::error::{Error, Result};

/// plotters works in whole units, so a pixel is ten of them and curves stay smooth.
pub const UNITS: f64 = 10.;
const FONTS: &str = "Inter, Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif";
/// plotters divides font sizes by this before it writes them.
const FONT_SCALE: f64 = 1.24;

/// A position in pixels from the upper left corner.
pub type Point = (f64, f64);
/// A part of the picture, in plotters' units.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    /// `width` × `height` pixels from the upper left corner.
    pub fn new((left, top): Point, width: f64, height: f64) -> Self {
        let (right, bottom) = (left + width, top + height);
        Self {
            left,
            top,
            right,
            bottom,
        }
    }

    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub fn middle(&self) -> Point {
        ((self.left + self.right) / 2., (self.top + self.bottom) / 2.)
    }

    /// Larger by so many pixels on the left, above, on the right and below.
    pub fn grown(&self, [left, above, right, below]: [f64; 4]) -> Self {
        Self {
            left: self.left - left,
            top: self.top - above,
            right: self.right + right,
            bottom: self.bottom + below,
        }
    }
}

/// A white drawing area.
pub struct Canvas<'a> {
    area: Area<'a>,
    /// `<image>` elements, which plotters writes only with its own image codecs.
    images: String,
}

/// Draws a figure of `size` (width, height) in pixels.
pub fn draw(
    size: Point,
    alt: String,
    paint: impl FnOnce(&mut Canvas) -> Result<()>,
) -> Result<Figure> {
    let (width, height) = (size.0.ceil(), size.1.ceil());
    let mut body = String::new();
    let images = {
        let size = (units(width) as u32, units(height) as u32);
        let area = SVGBackend::with_string(&mut body, size).into_drawing_area();
        area.fill(&rgba(WHITE, 1.)).map_err(figure_error)?;
        let images = String::new();
        let mut canvas = Canvas { area, images };
        paint(&mut canvas)?;
        canvas.area.present().map_err(figure_error)?;
        canvas.images
    };
    // plotters opens with an <svg> tag of its own, without a role or a text, and closes it at the
    // end.
    let shapes = body.split_once('\n').map_or("", |(_, shapes)| shapes);
    let shapes = shapes.trim_end().strip_suffix("</svg>").unwrap_or(shapes);
    let text = escape(&alt);
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"{width}\" height=\"{height}\" \
         style=\"max-width:100%;height:auto\" role=\"img\" aria-label=\"{}\">\n<title>{text}</title>\n{shapes}{images}</svg>\n",
        width * UNITS,
        height * UNITS,
        text.replace('\n', " "),
    );
    Ok(Figure { svg, alt })
}

pub fn figure_error<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> Error {
    Error::Figure(error.to_string())
}

/// Pixels in plotters' units.
pub fn units(pixels: f64) -> i32 {
    (pixels * UNITS).round() as i32
}

fn place((x, y): Point) -> (i32, i32) {
    (units(x), units(y))
}

fn rgba(color: Color, alpha: f64) -> RGBAColor {
    RGBColor(color.red, color.green, color.blue).mix(alpha)
}

/// The inside of a shape; `alpha` ∈ [0, 1].
pub fn fill(color: Color, alpha: f64) -> ShapeStyle {
    rgba(color, alpha).filled()
}

/// A line `width` pixels wide.
pub fn stroke(color: Color, width: f64) -> ShapeStyle {
    rgba(color, 1.).stroke_width(units(width) as u32)
}

/// The lengths of dashes and of the gaps between them in plotters' units; none for a solid line.
pub fn dashes(dash: Dash) -> Option<(i32, i32)> {
    let (on, off) = match dash {
        Dash::Solid => return None,
        Dash::Long => (8., 3.),
        Dash::Short => (3., 3.),
    };
    Some((units(on), units(off)))
}

pub fn text_style(font: Font) -> TextStyle<'static> {
    let weight = if font.bold {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    let size = font.size * UNITS * FONT_SCALE;
    let desc = FontDesc::new(FontFamily::Name(FONTS), size, weight);
    desc.color(&rgba(font.color, 1.))
}

/// One line, without the characters that XML forbids.
pub fn clean(text: &str) -> String {
    let kept = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(kept).collect()
}

/// Draws a marker of about `2 × radius` pixels with a white rim, which sets it off what lies
/// beneath, at a place on the whole picture: an area squeezes into itself what it is given, and half
/// of a marker at the edge of a plot lies outside.
pub fn mark(
    picture: &Area,
    (x, y): (i32, i32),
    style: Style,
    [radius, rim]: [f64; 2],
) -> Result<()> {
    let rim = (rim > 0.).then_some((radius + rim, WHITE));
    for (radius, color) in rim.into_iter().chain([(radius, style.color)]) {
        let fill = fill(color, 1.);
        let corners = corners(style.marker).iter();
        let corners = corners.map(|(dx, dy)| (x + units(radius * dx), y + units(radius * dy)));
        match style.marker {
            Marker::Circle => picture.draw(&Circle::new((x, y), units(radius), fill)),
            _ => picture.draw(&Polygon::new(corners.collect::<Vec<_>>(), fill)),
        }
        .map_err(figure_error)?;
    }
    Ok(())
}

/// The corners of a marker of radius 1.
fn corners(marker: Marker) -> &'static [Point] {
    match marker {
        Marker::Circle => &[],
        Marker::Square => &[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
        Marker::Triangle => &[(0., -1.15), (1.1, 0.8), (-1.1, 0.8)],
        Marker::Diamond => &[(0., -1.25), (1.25, 0.), (0., 1.25), (-1.25, 0.)],
        Marker::TriangleDown => &[(0., 1.15), (1.1, -0.8), (-1.1, -0.8)],
        Marker::Cross => &CROSS,
    }
}

#[rustfmt::skip]
const CROSS: [Point; 12] = [
    (-0.35, -1.1), (0.35, -1.1), (0.35, -0.35), (1.1, -0.35), (1.1, 0.35), (0.35, 0.35),
    (0.35, 1.1), (-0.35, 1.1), (-0.35, 0.35), (-1.1, 0.35), (-1.1, -0.35), (-0.35, -0.35),
];

impl<'a> Canvas<'a> {
    fn put<'b, E>(&self, element: &'b E) -> Result<()>
    where
        for<'c> &'c E: PointCollection<'c, (i32, i32)>,
        E: Drawable<SVGBackend<'a>>,
    {
        self.area.draw(element).map_err(figure_error)
    }

    /// The whole picture, for the markers of a chart.
    pub fn picture(&self) -> Area<'a> {
        self.area.clone()
    }

    /// The part of the picture in `rect`, for a chart.
    pub fn part(&self, rect: Rect) -> Area<'a> {
        let corner = place((rect.left, rect.top));
        let size = (units(rect.right) - corner.0, units(rect.bottom) - corner.1);
        self.area.clone().shrink(corner, size)
    }

    /// A filled rectangle.
    pub fn rect(&mut self, rect: Rect, color: Color) -> Result<()> {
        let corners = [(rect.left, rect.top), (rect.right, rect.bottom)].map(place);
        self.put(&Rectangle::new(corners, fill(color, 1.)))
    }

    /// A line through points, dashed as `style` says.
    pub fn path(&mut self, points: &[Point], style: Style, width: f64) -> Result<()> {
        let points: Vec<_> = points.iter().copied().map(place).collect();
        let line = stroke(style.color, width);
        match dashes(style.dash) {
            None => self.put(&PathElement::new(points, line)),
            Some((on, off)) => self.put(&DashedPathElement::new(points, on, off, line)),
        }
    }

    /// The outline of a rectangle.
    pub fn frame(&mut self, rect: Rect, color: Color, width: f64) -> Result<()> {
        let Rect {
            left,
            top,
            right,
            bottom,
        } = rect;
        // The side is drawn on past its start, so that the last corner is closed like the others.
        let [a, b, c, d] = [(left, top), (right, top), (right, bottom), (left, bottom)];
        self.path(&[a, b, c, d, a, b], Style::plain(color), width)
    }

    /// A marker of about `2 × radius` pixels with a white rim.
    pub fn marker(&mut self, at: Point, style: Style, radius: f64) -> Result<()> {
        mark(&self.area, place(at), style, [radius, 1.2])
    }

    /// A line of text, its middle at the height of the point.
    pub fn text(&mut self, at: Point, text: &str, font: Font, anchor: Anchor) -> Result<()> {
        self.write(at, text, text_style(font), anchor)
    }

    /// A line of text that reads upwards, its end at the point.
    pub fn text_upwards(&mut self, at: Point, text: &str, font: Font) -> Result<()> {
        let style = text_style(font).transform(FontTransform::Rotate270);
        self.write(at, text, style, Anchor::Right)
    }

    fn write(&mut self, at: Point, text: &str, style: TextStyle, anchor: Anchor) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let style = style.pos(Pos::new(anchor, VPos::Center));
        self.put(&Text::new(clean(text), place(at), style))
    }

    /// Lines of text from the upper left corner `at`.
    pub fn paragraph(&mut self, at: Point, paragraph: &Paragraph) -> Result<()> {
        for (index, line) in paragraph.lines.iter().enumerate() {
            let y = at.1 + (index as f64 + 0.5) * paragraph.line();
            self.text((at.0, y), line, paragraph.font, Anchor::Left)?;
        }
        Ok(())
    }

    /// A PNG file with a frame around it: a hairline, since images may be white at the edge, or a
    /// thick one in the colour of wrong answers.
    pub fn framed(&mut self, rect: Rect, png: &[u8], wrong: bool) -> Result<()> {
        let (reach, width, edge) = if wrong {
            (2., 2.5, WRONG)
        } else {
            (0.5, 1., MUTED)
        };
        self.frame(rect.grown([reach; 4]), edge, width)?;
        self.image(rect, png);
        Ok(())
    }

    /// A PNG file, scaled to `rect` without smoothing.
    fn image(&mut self, rect: Rect, png: &[u8]) {
        use std::fmt::Write as _;
        let (x, y) = place((rect.left, rect.top));
        let (right, bottom) = place((rect.right, rect.bottom));
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.images,
            "<image x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>",
            right - x,
            bottom - y,
            STANDARD.encode(png),
        );
    }
}
