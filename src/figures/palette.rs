//! Colours and marks that stay distinguishable for colour-blind readers and in grey print.

/// An sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    /// The share of red, 0 to 255.
    pub red: u8,
    /// The share of green, 0 to 255.
    pub green: u8,
    /// The share of blue, 0 to 255.
    pub blue: u8,
}

impl Color {
    /// Makes a colour from its number, `0xRRGGBB`.
    pub const fn hex(rgb: u32) -> Self {
        Self {
            red: (rgb >> 16) as u8,
            green: (rgb >> 8) as u8,
            blue: rgb as u8,
        }
    }

    /// The colour a share `t` ∈ [0, 1] of the way to `other`.
    pub(super) fn towards(self, other: Self, t: f64) -> Self {
        let mix = |from: u8, to: u8| {
            (f64::from(from) + (f64::from(to) - f64::from(from)) * t).round() as u8
        };
        Self {
            red: mix(self.red, other.red),
            green: mix(self.green, other.green),
            blue: mix(self.blue, other.blue),
        }
    }
}

/// The colour of the background, white.
pub const WHITE: Color = Color::hex(0xffffff);
/// The colour of texts and axes.
pub const INK: Color = Color::hex(0x262626);
/// The colour of secondary texts.
pub const MUTED: Color = Color::hex(0x5f6368);
/// The colour of grid lines.
pub const GRID: Color = Color::hex(0xe4e6ea);
/// The colour of a wrong answer, Okabe and Ito's vermilion.
pub const WRONG: Color = Color::hex(0xd55e00);
/// The colour of a right answer, Okabe and Ito's bluish green.
pub const RIGHT: Color = Color::hex(0x009e73);

/// Okabe and Ito's eight colours ("Color Universal Design", 2008), the yellow late since it is pale
/// on white, and two of Paul Tol's muted scheme, so that ten classes differ.
const CLASSES: [Color; 10] = [
    Color::hex(0x0072b2),
    Color::hex(0xe69f00),
    Color::hex(0x009e73),
    Color::hex(0xd55e00),
    Color::hex(0xcc79a7),
    Color::hex(0x56b4e9),
    Color::hex(0x000000),
    Color::hex(0xf0e442),
    Color::hex(0x882255),
    Color::hex(0x999933),
];

/// Nine evenly spaced samples of viridis (matplotlib).
const VIRIDIS: [Color; 9] = [
    Color::hex(0x440154),
    Color::hex(0x472d7b),
    Color::hex(0x3b528b),
    Color::hex(0x2c728e),
    Color::hex(0x21918c),
    Color::hex(0x28ae80),
    Color::hex(0x5ec962),
    Color::hex(0xaddc30),
    Color::hex(0xfde725),
];

/// The part of viridis that is dark enough for a line on white.
const DARK_PART: f64 = 0.86;

/// The way in which the colours of a chart tell its series apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colors {
    /// Colours for names without an order: [`class`].
    #[default]
    Classes,
    /// Colours for the values of a parameter, from small to large: [`ordered`].
    Ordered,
}

/// The colour of a class, by its number; the same in every figure, repeating after ten.
pub fn class(index: usize) -> Color {
    CLASSES[index % CLASSES.len()]
}

/// Colour and mark of the points of class `index`: [`class`]'s colours, each with a shape of its
/// own after ten.
pub(super) fn class_mark(index: usize) -> Style {
    Style {
        marker: Marker::ALL[index / CLASSES.len() % Marker::ALL.len()],
        ..Style::plain(class(index))
    }
}

/// The colour of one of `count` values of a parameter, by its number: viridis from dark violet to
/// light green.
pub fn ordered(index: usize, count: usize) -> Color {
    viridis(
        DARK_PART * index.min(count.saturating_sub(1)) as f64
            / count.saturating_sub(1).max(1) as f64,
    )
}

/// The colour of the map viridis at `t`, from dark violet at 0 to yellow at 1; clamped, NaN counts
/// as 0.
pub fn viridis(t: f64) -> Color {
    let t = if t.is_nan() { 0. } else { t.clamp(0., 1.) };
    let position = t * (VIRIDIS.len() - 1) as f64;
    let below = (position as usize).min(VIRIDIS.len() - 2);
    VIRIDIS[below].towards(VIRIDIS[below + 1], position - below as f64)
}

/// The colour between blue (−1), white (0) and red (1) at `t`; clamped, NaN counts as 0. The ends
/// are those of ColorBrewer's RdBu.
pub fn diverging(t: f64) -> Color {
    let t = if t.is_nan() { 0. } else { t.clamp(-1., 1.) };
    let end = if t < 0. {
        Color::hex(0x2166ac)
    } else {
        Color::hex(0xb2182b)
    };
    WHITE.towards(end, t.abs())
}

/// The shape of a point on a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
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
pub(super) enum Dash {
    Solid,
    Long,
    Short,
}

/// Colour, marker and dashes of one series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub color: Color,
    pub marker: Marker,
    pub dash: Dash,
}

impl Style {
    /// Solid lines and round points.
    pub const fn plain(color: Color) -> Self {
        let (marker, dash) = (Marker::Circle, Dash::Solid);
        Self {
            color,
            marker,
            dash,
        }
    }
}

/// A horizontal line at a value to compare with.
pub(super) const REFERENCE: Style = Style {
    dash: Dash::Short,
    ..Style::plain(MUTED)
};

impl Colors {
    /// The styles of so many series.
    pub(super) fn styles(self, count: usize) -> Vec<Style> {
        (0..count).map(|index| self.style(index, count)).collect()
    }

    /// The style of series `index` of `count`: colour, marker and dashes all vary.
    pub(super) fn style(self, index: usize, count: usize) -> Style {
        let color = match self {
            Self::Classes => class(index),
            Self::Ordered => ordered(index, count),
        };
        let marker = Marker::ALL[index % Marker::ALL.len()];
        // Neighbours alternate, so that two series of similar grey still differ.
        let dash = match self {
            Self::Classes => [Dash::Solid, Dash::Long, Dash::Short][index % 3],
            Self::Ordered => Dash::Solid,
        };
        Style {
            color,
            marker,
            dash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_classes_have_ten_colours_and_the_ramp_darkens_to_light() {
        for i in 0..10 {
            for j in 0..i {
                assert_ne!(class(i), class(j));
            }
        }
        assert_eq!(class(13), class(3));
        // Rec. 709 luma must rise along the ramp, so that the order survives in grey.
        let luma = |c: Color| {
            0.2126 * f64::from(c.red) + 0.7152 * f64::from(c.green) + 0.0722 * f64::from(c.blue)
        };
        for count in [2, 6, 10] {
            for i in 1..count {
                assert!(luma(ordered(i, count)) > luma(ordered(i - 1, count)));
            }
        }
        assert_eq!(ordered(0, 1), VIRIDIS[0]);
        assert_eq!(ordered(0, 0), VIRIDIS[0]);
        assert_eq!(
            (viridis(1.), viridis(7.), viridis(f64::NAN)),
            (VIRIDIS[8], VIRIDIS[8], VIRIDIS[0])
        );
    }

    #[test]
    fn diverging_is_white_at_zero() {
        assert_eq!(diverging(0.), WHITE);
        assert_eq!(diverging(f64::NAN), WHITE);
        assert_eq!(diverging(-3.), Color::hex(0x2166ac));
        assert_eq!(diverging(1.), Color::hex(0xb2182b));
    }
}
