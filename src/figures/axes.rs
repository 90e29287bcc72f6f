//! Axes, ticks and legends, shared by the charts.

use super::canvas::{Anchor, Canvas, Dash, Font, Marker, Point, Rect, text_width, wrap};
use super::palette::{GRID, INK, MUTED, Style};
use crate::error::{Error, Result};

pub const TITLE: Font = Font {
    size: 15.,
    color: INK,
    bold: true,
};
pub const PANEL_TITLE: Font = Font {
    size: 13.,
    color: INK,
    bold: true,
};
pub const LABEL: Font = Font {
    size: 12.5,
    color: INK,
    bold: false,
};
pub const TICK: Font = Font {
    size: 11.5,
    color: MUTED,
    bold: false,
};
pub const NOTE: Font = Font {
    size: 11.,
    color: MUTED,
    bold: false,
};

/// A horizontal line at a value to compare with.
pub const REFERENCE: Style = Style {
    color: MUTED,
    marker: Marker::Circle,
    dash: Dash::Short,
};

/// Pixels between a figure's edge and what is drawn.
pub const MARGIN: f64 = 14.;
/// The height of a line of text per font size.
pub const LINE: f64 = 1.45;

/// How numbers are spread along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AxisScale {
    /// Equal steps.
    #[default]
    Linear,
    /// Equal factors; every number must be positive.
    Log,
}

/// One mark on an axis.
#[derive(Debug)]
pub struct Tick {
    pub value: f64,
    /// Empty for a mark between labelled ones.
    pub label: String,
}

/// The range and the ticks of an axis.
#[derive(Debug)]
pub struct Axis {
    pub scale: AxisScale,
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<Tick>,
}

impl Axis {
    /// An axis that spans `values`, and `at_least` too.
    ///
    /// # Errors
    /// No value, one that is not finite, or one ≤ 0 on a logarithmic axis.
    pub fn spanning(
        name: &'static str,
        scale: AxisScale,
        values: impl IntoIterator<Item = f64>,
        at_least: Option<(f64, f64)>,
    ) -> Result<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values
            .into_iter()
            .chain(at_least.into_iter().flat_map(|(low, high)| [low, high]))
        {
            if !value.is_finite() {
                return Err(Error::argument(name, "finite numbers", value));
            }
            if scale == AxisScale::Log && value <= 0. {
                return Err(Error::argument(
                    name,
                    "numbers > 0 on a logarithmic axis",
                    value,
                ));
            }
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return Err(Error::argument(name, "at least one number", "empty"));
        }
        let place = |value: f64| {
            if scale == AxisScale::Log {
                value.log10()
            } else {
                value
            }
        };
        let (mut from, mut to) = (place(low), place(high));
        // A single value still needs an axis around it; so do values that differ in their last bits
        // alone.
        if to - from <= 1e-9 * from.abs().max(to.abs()) || to == from {
            let pad = if from == 0. { 1. } else { 0.1 * from.abs() };
            (from, to) = (from - pad, to + pad);
        }
        if !(to - from).is_finite() {
            return Err(Error::argument(
                name,
                "numbers whose difference is finite",
                format!("{low} to {high}"),
            ));
        }
        if at_least.is_none() && scale == AxisScale::Linear {
            // Room for markers at the edges.
            let pad = 0.03 * (to - from);
            (from, to) = (from - pad, to + pad);
        }
        let ticks = match scale {
            AxisScale::Linear => linear_ticks(from, to),
            AxisScale::Log => log_ticks(from, to),
        };
        Ok(Self {
            scale,
            low: from,
            high: to,
            ticks,
        })
    }

    /// Where `value` lies: 0 at the low end, 1 at the high end.
    pub fn share(&self, value: f64) -> f64 {
        let value = if self.scale == AxisScale::Log {
            value.log10()
        } else {
            value
        };
        (value - self.low) / (self.high - self.low)
    }

    /// The width of the widest tick label in pixels.
    pub fn label_width(&self) -> f64 {
        self.ticks
            .iter()
            .map(|tick| text_width(&tick.label, TICK.size))
            .fold(0., f64::max)
    }
}

/// Up to eight round numbers: multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64) -> Vec<Tick> {
    let rough = (high - low) / 7.;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1., 2., 5., 10.]
        .into_iter()
        .map(|m| m * power)
        .find(|step| *step >= 0.999 * rough)
        .unwrap_or(10. * power);
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.) as usize;
    (0..=(last - first).clamp(0., 12.) as usize)
        .map(|index| {
            let value = (first + index as f64) * step;
            Tick {
                value,
                label: tick_label(value, decimals),
            }
        })
        .collect()
}

/// Powers of ten with a label, 2 to 9 between without; labels at 2 and 5 too where fewer than two
/// powers are seen. `low` and `high` are logarithms.
fn log_ticks(low: f64, high: f64) -> Vec<Tick> {
    let inside = |exponent: f64| (low - 1e-9..=high + 1e-9).contains(&exponent);
    let powers = low.floor() as i32..=high.ceil() as i32;
    let labelled = powers
        .clone()
        .filter(|power| inside(f64::from(*power)))
        .count();
    // Wide ranges keep a label every so many powers.
    let every = (labelled as i32 / 8).max(1);
    let mut ticks = Vec::new();
    for power in powers {
        for digit in 1..10 {
            let value = f64::from(digit) * 10f64.powi(power);
            if !inside(value.log10()) || (every > 1 && digit > 1) {
                continue;
            }
            let label = match digit {
                1 if power % every == 0 => power_label(value, power),
                2 | 5 if labelled < 2 => power_label(value, power),
                _ => String::new(),
            };
            ticks.push(Tick { value, label });
        }
    }
    ticks
}

fn tick_label(value: f64, decimals: usize) -> String {
    let label = if decimals > 6 || value.abs() >= 1e7 {
        format!("{value:.1e}")
    } else {
        format!("{value:.decimals$}")
    };
    label.replace('-', "−")
}

fn power_label(value: f64, power: i32) -> String {
    if (-4..=5).contains(&power) {
        tick_label(value, (-power).max(0) as usize)
    } else {
        tick_label(value, 7)
    }
}

/// A number in words: four significant digits, without trailing zeros.
pub fn number(value: f64) -> String {
    if value != 0. && !(1e-4..1e7).contains(&value.abs()) {
        return format!("{value:.3e}");
    }
    let decimals = if value == 0. {
        0
    } else {
        (3 - value.abs().log10().floor() as i32).max(0) as usize
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// The rectangle in which data are drawn, with its two axes; a missing x axis has categories.
pub struct Plot<'p> {
    pub rect: Rect,
    pub x: Option<&'p Axis>,
    pub y: &'p Axis,
}

impl Plot<'_> {
    /// The pixel of a point; without an x axis, `x` is the share of the width.
    pub fn at(&self, x: f64, y: f64) -> Point {
        let share = self.x.map_or(x, |axis| axis.share(x));
        let Rect {
            left,
            top,
            right,
            bottom,
        } = self.rect;
        (
            left + share * (right - left),
            bottom - self.y.share(y) * (bottom - top),
        )
    }

    /// Grid, axis lines, tick labels and axis labels; the y axis' texts only where `with_y`.
    pub fn axes(
        &self,
        canvas: &mut Canvas,
        x_label: &str,
        y_label: &str,
        with_y: bool,
    ) -> Result<()> {
        let Rect {
            left,
            top,
            right,
            bottom,
        } = self.rect;
        for tick in &self.y.ticks {
            let y = bottom - self.y.share(tick.value) * (bottom - top);
            if !tick.label.is_empty() {
                canvas.path(&[(left, y), (right, y)], GRID, 1., Dash::Solid)?;
            }
            if with_y {
                canvas.text((left - 8., y), &tick.label, TICK, Anchor::End)?;
            }
        }
        for tick in self.x.into_iter().flat_map(|axis| &axis.ticks) {
            let x = self.at(tick.value, self.y.low).0;
            let length = if tick.label.is_empty() { 3. } else { 5. };
            if !tick.label.is_empty() {
                canvas.path(&[(x, top), (x, bottom)], GRID, 1., Dash::Solid)?;
                canvas.text((x, bottom + 15.), &tick.label, TICK, Anchor::Middle)?;
            }
            canvas.path(&[(x, bottom), (x, bottom + length)], MUTED, 1., Dash::Solid)?;
        }
        canvas.path(&[(left, bottom), (right, bottom)], MUTED, 1., Dash::Solid)?;
        canvas.text(
            ((left + right) / 2., bottom + 36.),
            x_label,
            LABEL,
            Anchor::Middle,
        )?;
        if with_y {
            canvas.text_upwards(
                (left - 8. - self.y.label_width() - 16., (top + bottom) / 2.),
                y_label,
                LABEL,
            )?;
        }
        Ok(())
    }

    /// A dashed horizontal line, named in the legend.
    pub fn reference(&self, canvas: &mut Canvas, value: f64) -> Result<()> {
        let y = self.at(0., value).1;
        canvas.path(
            &[(self.rect.left, y), (self.rect.right, y)],
            REFERENCE.color,
            1.2,
            REFERENCE.dash,
        )
    }
}

/// Pixels left of a plot for the y axis' labels.
pub fn left_room(y: &Axis) -> f64 {
    y.label_width() + 8. + 16. + LABEL.size
}

/// Pixels below a plot for the x axis' labels.
pub const BELOW: f64 = 46.;

/// What a legend shows beside a name.
#[derive(Clone, Copy)]
pub enum Key {
    Rule,
    Line,
    Dot,
    Block,
}

/// The width of a legend of these names.
pub fn legend_width<'n>(title: &str, names: impl IntoIterator<Item = &'n str>) -> f64 {
    let widest = names
        .into_iter()
        .map(|name| text_width(name, LABEL.size) + 36.)
        .fold(text_width(title, LABEL.size), f64::max);
    widest + 4.
}

/// Draws names under each other from `at`, the upper left corner.
pub fn legend(
    canvas: &mut Canvas,
    at: Point,
    title: &str,
    entries: &[(&str, Style, Key)],
) -> Result<()> {
    let (left, mut y) = (at.0, at.1 + 8.);
    if !title.is_empty() {
        canvas.text(
            (left, y),
            title,
            Font {
                bold: true,
                ..LABEL
            },
            Anchor::Start,
        )?;
        y += 20.;
    }
    for (name, style, key) in entries {
        match key {
            Key::Rule => {
                canvas.path(&[(left, y), (left + 26., y)], style.color, 1.2, style.dash)?
            }
            Key::Line => {
                canvas.path(&[(left, y), (left + 26., y)], style.color, 2., style.dash)?;
                canvas.marker((left + 13., y), style.marker, 4., style.color)?;
            }
            Key::Dot => canvas.marker((left + 13., y), style.marker, 4.5, style.color)?,
            Key::Block => {
                canvas.rect(
                    Rect {
                        left: left + 6.,
                        top: y - 6.,
                        right: left + 22.,
                        bottom: y + 6.,
                    },
                    style.color,
                )?;
            }
        }
        canvas.text((left + 34., y), name, LABEL, Anchor::Start)?;
        y += 20.;
    }
    Ok(())
}

/// Lines of text and the height they take; none for an empty text.
pub struct Paragraph {
    pub lines: Vec<String>,
    pub font: Font,
}

impl Paragraph {
    pub fn new(text: &str, font: Font, width: f64) -> Self {
        Self {
            lines: wrap(text, font.size, width),
            font,
        }
    }

    pub fn height(&self) -> f64 {
        self.lines.len() as f64 * self.font.size * LINE
    }

    /// Draws the lines from the upper left corner `at`.
    pub fn draw(&self, canvas: &mut Canvas, at: Point) -> Result<()> {
        for (index, line) in self.lines.iter().enumerate() {
            let y = at.1 + (index as f64 + 0.5) * self.font.size * LINE;
            canvas.text((at.0, y), line, self.font, Anchor::Start)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, scale: AxisScale) -> Vec<String> {
        let axis = Axis::spanning("x", scale, [], Some((low, high))).unwrap();
        axis.ticks
            .into_iter()
            .map(|tick| tick.label)
            .filter(|label| !label.is_empty())
            .collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            labels(0., 1., AxisScale::Linear),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(-30., 45., AxisScale::Linear),
            ["−20", "0", "20", "40"]
        );
        assert_eq!(labels(1., 5., AxisScale::Linear), ["1", "2", "3", "4", "5"]);
        assert_eq!(labels(0.01, 1., AxisScale::Log), ["0.01", "0.1", "1"]);
        assert_eq!(labels(0.2, 0.9, AxisScale::Log), ["0.2", "0.5"]);
        assert!(labels(1e-12, 1e12, AxisScale::Log).len() <= 10);
        assert_eq!(labels(0., 1e-9, AxisScale::Linear).len(), 6);
    }

    #[test]
    fn every_range_has_an_axis_or_an_error() {
        for (low, high) in [
            (0., 0.),
            (3., 3.),
            (1e300, 1.1e300),
            (1., 1. + 1e-15),
            (-1e-300, 1e-300),
            (0., f64::MIN_POSITIVE),
        ] {
            let axis = Axis::spanning("x", AxisScale::Linear, [low, high], None).unwrap();
            assert!(axis.low < axis.high && axis.ticks.len() <= 13, "{axis:?}");
            assert!(axis.share(low).is_finite());
        }
        assert!(Axis::spanning("x", AxisScale::Linear, [f64::MIN, f64::MAX], None).is_err());
        assert!(Axis::spanning("x", AxisScale::Linear, [f64::NAN], None).is_err());
        assert!(Axis::spanning("x", AxisScale::Linear, [], None).is_err());
        let error = Axis::spanning("x", AxisScale::Log, [0.], None)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "x is 0; expected numbers > 0 on a logarithmic axis");
    }

    #[test]
    fn numbers_in_words() {
        let words = [0., 1., 0.5, 0.12345, 12345.6, -0.1, 1e-9].map(number);
        assert_eq!(
            words,
            ["0", "1", "0.5", "0.1235", "12346", "-0.1", "1.000e-9"]
        );
    }
}
