//! An energy over the plane, with paths on it.

use candle_core::{DType, Device, Tensor};
use ndarray::Array2;

use super::arrange::{Arrangement, Panel, headed};
use super::axes::{Axis, AxisScale, ends, number};
use super::canvas::{Anchor, Canvas, Point, Rect, fill};
use super::contours::rings;
use super::drawn;
use super::figure::Figure;
use super::legend::{Key, Legend};
use super::palette::{Color, Colors, INK, Marker, Style, WHITE, viridis};
use super::plane::{BELOW, Plane, left_room};
use super::scatter::points;
use super::text::{LABEL, TICK};
use crate::error::{Error, Result};
use crate::paths::{Energy, Leps, MullerBrown};
use plotters::element::Polygon;

/// Values of an axis at which a surface is sampled.
const SAMPLES: usize = 161;
/// Colours between the lowest and the highest energy.
const BANDS: usize = 14;
/// The most that the chart takes of the figure's width.
const WIDEST: f64 = 560.;
/// The scale of colours: pixels between it and the plot, its width, and the room for its numbers.
const SCALE: [f64; 3] = [14., 14., 58.];
/// How pale the surface is, so that paths stand out.
const PALE: f64 = 0.35;

/// An energy over the plane in bands of colour with lines of equal energy between them, and paths and
/// points on it. One unit is equally long on both axes where that leaves the plot neither flat nor
/// narrow.
///
/// ```
/// use isopath::candle::{Device, Tensor};
/// use isopath::paths::MullerBrown;
/// # fn main() -> isopath::Result<()> {
/// let line = Tensor::new(&[[-0.558, 1.442], [0.623, 0.028]], &Device::Cpu)?;
/// let chart = MullerBrown::default().chart().with_path("straight line", &line)?;
/// assert!(chart.figure()?.svg.contains("straight line"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SurfaceChart {
    /// The title above the chart; may be empty.
    pub title: String,
    /// The x of the grid's columns, ascending, at least two.
    pub x: Vec<f64>,
    /// The y of the grid's rows, ascending, at least two.
    pub y: Vec<f64>,
    /// The energy E, by row and column; finite.
    pub energy: Array2<f64>,
    /// The energies of the first and the last colour; energies beyond them have the same colours.
    /// `None` stands for the lowest and the highest energy of the grid.
    pub range: Option<(f64, f64)>,
    /// The axes' names with their units.
    pub axes: [String; 2],
    /// The name of what the colours show, with its unit.
    pub scale: String,
    /// The paths on the surface, by name, each (N, 2). Segments that end off the chart are not drawn.
    pub paths: Vec<(String, Array2<f64>)>,
    /// The points on the surface, by name, each (N, 2). Those off the chart are not drawn.
    pub points: Vec<(String, Array2<f64>)>,
    /// The heading of the legend.
    pub legend: String,
    /// The small print below the chart; may be empty.
    pub note: String,
}

drawn!(SurfaceChart, MullerBrown, Leps);

impl SurfaceChart {
    /// Makes the chart of `energy` over a rectangle of the plane, sampled at 161 × 161 points.
    ///
    /// # Errors
    /// What the energy refuses; a range that is empty, or an energy that is not finite.
    pub fn of(energy: &dyn Energy, x: (f64, f64), y: (f64, f64)) -> Result<Self> {
        let (x, y) = (spaced(x), spaced(y));
        let at = y.iter().flat_map(|y| x.iter().map(move |x| [*x, *y]));
        let at: Vec<f64> = at.flatten().collect();
        let count = at.len() / 2;
        let points = Tensor::from_vec(at, (count, 2), &Device::Cpu)?.to_dtype(DType::F64)?;
        let values = energy.values(&points, &vec![0; count])?.energy;
        let shape = (y.len(), x.len());
        let got = values.len();
        let energy = Array2::from_shape_vec(shape, values)
            .map_err(|_| Error::argument("energies", format!("{count}, one a point"), got))?;
        let chart = Self {
            axes: ["x".into(), "y".into()],
            scale: "energy E".into(),
            x,
            y,
            energy,
            ..Self::default()
        };
        chart.check()?;
        Ok(chart)
    }

    /// Adds a path (N, 2) to the chart, such as [`NebInfo::path`](crate::paths::NebInfo::path).
    ///
    /// # Errors
    /// `path` is no matrix.
    pub fn with_path(mut self, name: impl Into<String>, path: &Tensor) -> Result<Self> {
        self.paths.push((name.into(), points(path)?));
        Ok(self)
    }

    /// Adds marked points to the chart.
    pub fn with_points(mut self, name: impl Into<String>, at: &[[f64; 2]]) -> Self {
        let points = Array2::from_shape_fn((at.len(), 2), |(row, axis)| at[row][axis]);
        self.points.push((name.into(), points));
        self
    }

    /// Draws the chart, its scale of colours beside it and its legend on the right or, where its
    /// names are many or long, below.
    ///
    /// # Errors
    /// Axes of fewer than two values or that do not ascend, energies of another shape or that are
    /// not finite, an empty range, a path or points that are not (N, 2) or not finite.
    pub fn figure(&self) -> Result<Figure> {
        self.check()?;
        let axes = self.plane()?;
        let left = left_room(&axes[1]);
        let styles = self.styles();
        let names = self.names().into_iter().zip(styles);
        let keys = (0..).map(|at| {
            if at < self.paths.len() {
                Key::Line
            } else {
                Key::Dot
            }
        });
        let entries = names
            .zip(keys)
            .map(|((name, style), key)| (name, style, key));
        let [x, y] = axes.clone();
        let aspect = ((y.at(1.) - y.at(0.)) / (x.at(1.) - x.at(0.))).clamp(0.4, 1.2);
        let beside: f64 = SCALE.iter().sum::<f64>() + LABEL.size + 8.;
        let arrangement = Arrangement {
            title: &self.title,
            note: &self.note,
            columns: 1,
            panels: vec![(self, axes)],
            widest: WIDEST,
            left,
            gap: 0.,
            legend: Legend {
                title: &self.legend,
                entries: entries.collect(),
            },
        };
        arrangement.draw(
            |width| ((width - beside) * aspect, BELOW),
            |canvas, (chart, axes), _, rect| {
                let plot = rect.grown([0., 0., -beside, 0.]);
                chart.paint(canvas, plot, axes.clone())?;
                chart.paint_scale(canvas, plot)
            },
        )
    }

    fn check(&self) -> Result<()> {
        for (name, axis) in [("x", &self.x), ("y", &self.y)] {
            let ascends = axis.len() > 1 && axis.windows(2).all(|pair| pair[0] < pair[1]);
            if !ascends || axis.iter().any(|value| !value.is_finite()) {
                let expected = "at least two finite numbers that ascend";
                return Err(Error::argument(name, expected, format!("{axis:?}")));
            }
        }
        let shape = [self.y.len(), self.x.len()];
        if self.energy.shape() != shape {
            let expected = format!("{shape:?}, a row for each y and a column for each x");
            return Err(Error::shape(
                "surface",
                "energy",
                expected,
                self.energy.shape(),
            ));
        }
        if let Some(number) = self.energy.iter().find(|number| !number.is_finite()) {
            return Err(Error::argument("energy", "finite numbers", number));
        }
        if let Some((low, high)) = self.range
            && !(low < high && (high - low).is_finite())
        {
            let got = format!("({low}, {high})");
            return Err(Error::argument("range", "finite low < high", got));
        }
        for (name, points) in self.paths.iter().chain(&self.points) {
            if points.ncols() != 2 || points.iter().any(|number| !number.is_finite()) {
                let got = format!("{name:?} of shape {:?}", points.shape());
                return Err(Error::argument("path", "(N, 2) of finite numbers", got));
            }
        }
        Ok(())
    }

    fn plane(&self) -> Result<[Axis; 2]> {
        let axis = |name, values: &[f64]| {
            let range = Some(ends(values.iter().copied()));
            Axis::spanning(name, AxisScale::Linear, [], range)
        };
        Ok([axis("x", &self.x)?, axis("y", &self.y)?])
    }

    /// The energies of the first and the last colour.
    fn range(&self) -> (f64, f64) {
        let (low, high) = self
            .range
            .unwrap_or_else(|| ends(self.energy.iter().copied()));
        if high > low {
            (low, high)
        } else {
            (low - 0.5, high + 0.5)
        }
    }

    /// The styles of paths, then of points.
    fn styles(&self) -> Vec<Style> {
        // Vermilion, black, orange, and pink: none of them near the surface's colours.
        const PATHS: [usize; 4] = [3, 6, 1, 4];
        let path = |at: usize| Style {
            marker: Marker::Circle,
            dash: Style::plain(INK).dash,
            ..Colors::Classes.style(PATHS[at % PATHS.len()], PATHS.len())
        };
        let mark = |at: usize| Style {
            marker: [Marker::Diamond, Marker::Square, Marker::Triangle][at % 3],
            ..Style::plain([INK, super::palette::class(0)][at / 3 % 2])
        };
        let paths = (0..self.paths.len()).map(path);
        paths.chain((0..self.points.len()).map(mark)).collect()
    }

    fn is_on(&self, (x, y): Point) -> bool {
        let inside = |axis: &[f64], value| {
            let (low, high) = ends(axis.iter().copied());
            (low..=high).contains(&value)
        };
        inside(&self.x, x) && inside(&self.y, y)
    }

    fn paint(&self, canvas: &mut Canvas, rect: Rect, axes: [Axis; 2]) -> Result<()> {
        let mut plane = Plane::new(canvas, rect, axes)?;
        plane.mesh(&self.axes[0], Some(&self.axes[1]))?;
        let ((left, right), (low, high)) =
            (ends(self.x.iter().copied()), ends(self.y.iter().copied()));
        let whole = vec![(left, low), (right, low), (right, high), (left, high)];
        plane.draw([Polygon::new(whole, fill(colour(0), 1.))])?;
        let (from, to) = self.range();
        let level = |band: usize| from + (to - from) * band as f64 / BANDS as f64;
        let levels: Vec<f64> = (1..BANDS).map(level).collect();
        for ring in rings(&self.x, &self.y, &self.energy, &levels) {
            let inside = colour(ring.level + usize::from(ring.rises));
            let mut outline = ring.points.clone();
            outline.extend(ring.points.first());
            plane.draw([Polygon::new(ring.points, fill(inside, 1.))])?;
            plane.line(outline, Style::plain(inside.towards(INK, 0.3)), 0.5)?;
        }
        let styles = self.styles();
        for ((_, path), style) in self.paths.iter().zip(&styles) {
            let path: Vec<Point> = path
                .outer_iter()
                .map(|point| (point[0], point[1]))
                .collect();
            let seen = |pair: &&[Point]| pair.iter().all(|point| self.is_on(*point));
            let segments: Vec<&[Point]> = path.windows(2).filter(seen).collect();
            // All rims first, so that none covers a line.
            for (style, width) in [(Style::plain(WHITE), 4.6), (*style, 2.2)] {
                for segment in &segments {
                    plane.line(segment.to_vec(), style, width)?;
                }
            }
            let seen = path.iter().copied().filter(|point| self.is_on(*point));
            plane.marks(seen, *style, [3.2, 1.])?;
        }
        for ((_, points), style) in self.points.iter().zip(&styles[self.paths.len()..]) {
            let points = points.outer_iter().map(|point| (point[0], point[1]));
            let seen = points.filter(|point| self.is_on(*point));
            plane.marks(seen, *style, [5.2, 1.4])?;
        }
        Ok(())
    }

    /// The scale of colours right of the plot.
    fn paint_scale(&self, canvas: &mut Canvas, plot: Rect) -> Result<()> {
        let [gap, width, _] = SCALE;
        let (left, height) = (plot.right + gap, plot.height() / BANDS as f64);
        for band in 0..BANDS {
            let top = plot.bottom - (band + 1) as f64 * height;
            canvas.rect(Rect::new((left, top), width, height + 0.6), colour(band))?;
        }
        let bar = Rect::new((left, plot.top), width, plot.height());
        canvas.frame(bar, INK.towards(WHITE, 0.5), 0.6)?;
        let axis = Axis::spanning("energy", AxisScale::Linear, [], Some(self.range()))?;
        for tick in &axis.ticks {
            let y = plot.bottom - axis.share(tick.value) * plot.height();
            let at = (bar.right + 5., y);
            canvas.path(
                &[(bar.right, y), (bar.right + 3., y)],
                Style::plain(INK),
                0.8,
            )?;
            canvas.text(at, &tick.label, TICK, Anchor::Left)?;
        }
        let x = bar.right + 10. + axis.label_width() + LABEL.size / 2.;
        canvas.text_upwards((x, plot.top), &self.scale, LABEL)
    }
}

/// The colour of a band, the lowest darkest.
fn colour(band: usize) -> Color {
    viridis(band as f64 / (BANDS - 1) as f64).towards(WHITE, PALE)
}

/// Equally distant values of a range, its ends among them.
fn spaced((low, high): (f64, f64)) -> Vec<f64> {
    let share = |at: usize| at as f64 / (SAMPLES - 1) as f64;
    (0..SAMPLES)
        .map(|at| low + (high - low) * share(at))
        .collect()
}

impl Panel for SurfaceChart {
    fn title(&self) -> &str {
        ""
    }

    fn names(&self) -> Vec<&str> {
        let all = self.paths.iter().chain(&self.points);
        all.map(|(name, _)| name.as_str()).collect()
    }

    /// The ranges, and where each path begins and ends.
    fn words(&self) -> String {
        let (low, high) = ends(self.energy.iter().copied());
        let [x, y] = [&self.x, &self.y].map(|axis| ends(axis.iter().copied()));
        let [across, up] = &self.axes;
        let mut words = format!(
            "{} from {} to {} over {across} from {} to {} and {up} from {} to {}",
            self.scale,
            number(low),
            number(high),
            number(x.0),
            number(x.1),
            number(y.0),
            number(y.1)
        );
        let place =
            |row: ndarray::ArrayView1<f64>| format!("({}, {})", number(row[0]), number(row[1]));
        for (name, path) in &self.paths {
            if let Some(last) = path.nrows().checked_sub(1) {
                let [from, to] = [0, last].map(|row| place(path.row(row)));
                words += &format!("; {name}: {} points from {from} to {to}", last + 1);
            }
        }
        for (name, points) in &self.points {
            let places: Vec<String> = points.outer_iter().map(place).collect();
            words += &format!("; {name}: {}", places.join(", "));
        }
        headed("", &words)
    }
}

/// The surface over `x` and `y`, coloured over `range`.
fn analytic(at: fn(f64, f64) -> (f64, [f64; 2]), [x, y, range]: [(f64, f64); 3]) -> SurfaceChart {
    let (x, y) = (spaced(x), spaced(y));
    let value = |(row, column): (usize, usize)| at(x[column], y[row]).0;
    let energy = Array2::from_shape_fn((y.len(), x.len()), value);
    SurfaceChart {
        x,
        y,
        energy,
        range: Some(range),
        ..SurfaceChart::default()
    }
}

impl MullerBrown {
    /// The surface around its minima, (x, y) in [−1.5, 1.2] × [−0.2, 2], in colours from −150 to 100.
    pub fn chart(&self) -> SurfaceChart {
        let ranges = [(-1.5, 1.2), (-0.2, 2.), (-150., 100.)];
        SurfaceChart {
            title: "The Müller–Brown surface".into(),
            axes: ["x".into(), "y".into()],
            scale: "energy E".into(),
            note: "Energies below −150 have the darkest colour, those above 100 the lightest."
                .into(),
            ..analytic(Self::at, ranges)
        }
    }

    /// Draws [`MullerBrown::chart`] as a figure.
    ///
    /// # Errors
    /// None that is known: the surface is finite.
    pub fn figure(&self) -> Result<Figure> {
        self.chart().figure()
    }
}

impl Leps {
    /// The surface of both bonds from 0.5 to 4 Å, in colours from −4.8 to 0 eV.
    pub fn chart(&self) -> SurfaceChart {
        let ranges = [(0.5, 4.), (0.5, 4.), (-4.8, 0.)];
        SurfaceChart {
            title: "The LEPS surface of A + BC → AB + C".into(),
            axes: ["distance r_AB (Å)".into(), "distance r_BC (Å)".into()],
            scale: "energy E (eV)".into(),
            note: "Energies above 0 have the lightest colour.".into(),
            ..analytic(Self::at, ranges)
        }
    }

    /// Draws [`Leps::chart`] as a figure.
    ///
    /// # Errors
    /// None that is known: the surface is finite.
    pub fn figure(&self) -> Result<Figure> {
        self.chart().figure()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_well_formed, sample};
    use super::*;

    fn path(points: &[[f64; 2]]) -> Tensor {
        Tensor::from_vec(points.concat(), (points.len(), 2), &Device::Cpu).unwrap()
    }

    #[test]
    fn surfaces_are_drawn_with_paths_on_them() {
        let line = path(&[[-0.558, 1.442], [0.1, 0.7], [0.623, 0.028]]);
        let off = path(&[[-9., 0.], [0., 1.], [0.2, 0.8]]);
        let chart = MullerBrown::default()
            .chart()
            .with_path("straight <line>", &line)
            .and_then(|chart| chart.with_path("half off", &off))
            .unwrap()
            .with_points("saddle", &[[-0.822, 0.624], [50., 50.]]);
        let figure = chart.figure().unwrap();
        assert_well_formed(&figure);
        sample("surface_muller_brown", &figure);
        assert!(
            figure
                .alt
                .contains("straight <line>: 3 points from (−0.558, 1.442)")
                || figure
                    .alt
                    .contains("straight <line>: 3 points from (-0.558, 1.442)"),
            "{}",
            figure.alt
        );
        assert_eq!(figure, chart.figure().unwrap());
        let figure = Leps { level: 0. }.figure().unwrap();
        assert_well_formed(&figure);
        sample("surface_leps", &figure);
        assert!(figure.svg.len() < 120_000, "{}", figure.svg.len());
    }

    #[test]
    fn any_energy_is_sampled() {
        let of = SurfaceChart::of(&MullerBrown::default(), (-1.5, 1.2), (-0.2, 2.)).unwrap();
        let own = MullerBrown::default().chart();
        assert_eq!((of.energy, of.x, of.y), (own.energy, own.x, own.y));
        // A flat surface has one colour and a scale.
        let flat = SurfaceChart {
            x: vec![0., 1.],
            y: vec![0., 1.],
            energy: Array2::zeros((2, 2)),
            ..SurfaceChart::default()
        };
        assert_well_formed(&flat.figure().unwrap());
    }

    #[test]
    fn bad_values_are_refused() {
        let message = |change: fn(&mut SurfaceChart)| {
            let mut chart = MullerBrown::default().chart();
            change(&mut chart);
            chart.figure().unwrap_err().to_string()
        };
        assert_eq!(
            message(|chart| chart.x = vec![1.]),
            "x is [1.0]; expected at least two finite numbers that ascend"
        );
        assert_eq!(
            message(|chart| chart.y = vec![0., 1.]),
            "surface: energy has shape [161, 161]; expected [2, 161], a row for each y and a column \
             for each x"
        );
        assert_eq!(
            message(|chart| chart.energy[[3, 4]] = f64::NAN),
            "energy is NaN; expected finite numbers"
        );
        assert_eq!(
            message(|chart| chart.range = Some((1., 1.))),
            "range is (1, 1); expected finite low < high"
        );
        assert_eq!(
            message(|chart| chart.paths.push(("a".into(), Array2::zeros((2, 3))))),
            "path is \"a\" of shape [2, 3]; expected (N, 2) of finite numbers"
        );
        let flat = Tensor::zeros(3, DType::F64, &Device::Cpu).unwrap();
        assert!(
            MullerBrown::default()
                .chart()
                .with_path("a", &flat)
                .is_err()
        );
    }
}
