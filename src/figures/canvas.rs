//! plotters' SVG backend with positions in fractional pixels, and the few shapes that the figures
//! draw.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{
    Circle, DashedPathElement, Drawable, PathElement, PointCollection, Polygon, Rectangle, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color as _, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, RGBColor, ShapeStyle,
    TextStyle,
};

use super::palette::{Color, WHITE};
use super::{Figure, escape};
use crate::error::{Error, Result};

/// plotters works in whole units, so a pixel is ten of them and curves stay smooth.
const UNITS: f64 = 10.;
const FONTS: &str = "Inter, Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif";
/// plotters divides font sizes by this before it writes them.
const FONT_SCALE: f64 = 1.24;

/// A position in pixels from the upper left corner.
pub type Point = (f64, f64);

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

/// The shape of a point on a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
    Cross,
}

impl Marker {
    pub const ALL: [Self; 6] = [
        Self::Circle,
        Self::Square,
        Self::Triangle,
        Self::Diamond,
        Self::TriangleDown,
        Self::Cross,
    ];
}

/// The dashes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dash {
    Solid,
    Long,
    Short,
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// Size, colour and weight of a text.
#[derive(Clone, Copy, Debug)]
pub struct Font {
    pub size: f64,
    pub color: Color,
    pub bold: bool,
}

/// A white drawing area.
pub struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
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
        let area =
            SVGBackend::with_string(&mut body, ((width * UNITS) as u32, (height * UNITS) as u32))
                .into_drawing_area();
        let mut canvas = Canvas {
            area,
            images: String::new(),
        };
        canvas.rect(
            Rect {
                left: 0.,
                top: 0.,
                right: width,
                bottom: height,
            },
            WHITE,
        )?;
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

/// An estimate of a text's width in pixels; the crate reads no fonts.
pub fn text_width(text: &str, size: f64) -> f64 {
    let em: f64 = text
        .chars()
        .map(|character| match character {
            'i' | 'j' | 'l' | 't' | 'f' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' '
            | '(' | ')' => 0.33,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.92,
            'A'..='Z' => 0.70,
            _ => 0.585,
        })
        .sum();
    em * size
}

/// `text` in lines of at most `width` pixels, broken at spaces.
pub fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line)
                if text_width(line, size) + text_width(" ", size) + text_width(word, size)
                    <= width =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

fn figure_error<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> Error {
    Error::Figure(error.to_string())
}

fn units((x, y): Point) -> (i32, i32) {
    ((x * UNITS).round() as i32, (y * UNITS).round() as i32)
}

fn rgba(color: Color, alpha: f64) -> RGBAColor {
    RGBColor(color.red, color.green, color.blue).mix(alpha)
}

fn stroke(color: Color, width: f64) -> ShapeStyle {
    rgba(color, 1.).stroke_width((width * UNITS).round() as u32)
}

impl<'a> Canvas<'a> {
    fn put<'b, E>(&self, element: &'b E) -> Result<()>
    where
        for<'c> &'c E: PointCollection<'c, (i32, i32)>,
        E: Drawable<SVGBackend<'a>>,
    {
        self.area.draw(element).map_err(figure_error)
    }

    /// A filled rectangle.
    pub fn rect(&mut self, rect: Rect, fill: Color) -> Result<()> {
        self.put(&Rectangle::new(
            [
                units((rect.left, rect.top)),
                units((rect.right, rect.bottom)),
            ],
            rgba(fill, 1.).filled(),
        ))
    }

    /// A filled polygon; `alpha` ∈ [0, 1].
    pub fn polygon(&mut self, points: &[Point], fill: Color, alpha: f64) -> Result<()> {
        let points: Vec<_> = points.iter().copied().map(units).collect();
        self.put(&Polygon::new(points, rgba(fill, alpha)))
    }

    /// A line through points.
    pub fn path(&mut self, points: &[Point], color: Color, width: f64, dash: Dash) -> Result<()> {
        let points: Vec<_> = points.iter().copied().map(units).collect();
        let (on, off) = match dash {
            Dash::Solid => return self.put(&PathElement::new(points, stroke(color, width))),
            Dash::Long => (8., 3.),
            Dash::Short => (3., 3.),
        };
        let style = stroke(color, width);
        self.put(&DashedPathElement::new(
            points,
            (on * UNITS) as i32,
            (off * UNITS) as i32,
            style,
        ))
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
        let corners = [
            (left, top),
            (right, top),
            (right, bottom),
            (left, bottom),
            (left, top),
            (right, top),
        ];
        self.path(&corners, color, width, Dash::Solid)
    }

    /// A marker of about `2 × radius` pixels, with a white rim that sets it off the curves beneath.
    pub fn marker(&mut self, at: Point, marker: Marker, radius: f64, color: Color) -> Result<()> {
        self.shape(at, marker, radius + 1.2, WHITE)?;
        self.shape(at, marker, radius, color)
    }

    /// A marker of about `2 × radius` pixels.
    pub fn shape(
        &mut self,
        (x, y): Point,
        marker: Marker,
        radius: f64,
        color: Color,
    ) -> Result<()> {
        let mut polygon = |points: &[Point]| {
            let points: Vec<Point> = points
                .iter()
                .map(|(dx, dy)| (x + radius * dx, y + radius * dy))
                .collect();
            self.polygon(&points, color, 1.)
        };
        match marker {
            Marker::Circle => {
                let radius = (radius * UNITS).round() as i32;
                self.put(&Circle::new(
                    units((x, y)),
                    radius,
                    rgba(color, 1.).filled(),
                ))
            }
            Marker::Square => {
                polygon(&[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)])
            }
            Marker::Triangle => polygon(&[(0., -1.15), (1.1, 0.8), (-1.1, 0.8)]),
            Marker::Diamond => polygon(&[(0., -1.25), (1.25, 0.), (0., 1.25), (-1.25, 0.)]),
            Marker::TriangleDown => polygon(&[(0., 1.15), (1.1, -0.8), (-1.1, -0.8)]),
            Marker::Cross => {
                let (a, b) = (0.35, 1.1);
                polygon(&[
                    (-a, -b),
                    (a, -b),
                    (a, -a),
                    (b, -a),
                    (b, a),
                    (a, a),
                    (a, b),
                    (-a, b),
                    (-a, a),
                    (-b, a),
                    (-b, -a),
                    (-a, -a),
                ])
            }
        }
    }

    /// A line of text, its middle at the height of the point.
    pub fn text(&mut self, at: Point, text: &str, font: Font, anchor: Anchor) -> Result<()> {
        self.place(at, text, font, anchor, FontTransform::None)
    }

    /// A line of text that reads upwards, its middle at the point.
    pub fn text_upwards(&mut self, at: Point, text: &str, font: Font) -> Result<()> {
        self.place(at, text, font, Anchor::Middle, FontTransform::Rotate270)
    }

    fn place(
        &mut self,
        at: Point,
        text: &str,
        font: Font,
        anchor: Anchor,
        transform: FontTransform,
    ) -> Result<()> {
        let horizontal = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let weight = if font.bold {
            FontStyle::Bold
        } else {
            FontStyle::Normal
        };
        let desc = FontDesc::new(
            FontFamily::Name(FONTS),
            font.size * UNITS * FONT_SCALE,
            weight,
        )
        .transform(transform);
        let color = rgba(font.color, 1.);
        let style = TextStyle::from(desc)
            .color(&color)
            .pos(Pos::new(horizontal, VPos::Center));
        // One line, without the characters that XML forbids.
        let text: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        self.put(&Text::new(text, units(at), style))
    }

    /// A PNG file, scaled to `rect` without smoothing.
    pub fn image(&mut self, rect: Rect, png: &[u8]) {
        use std::fmt::Write as _;
        let ((x, y), (right, bottom)) = (
            units((rect.left, rect.top)),
            units((rect.right, rect.bottom)),
        );
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
