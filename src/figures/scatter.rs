//! Points coloured by class, in the plane or in space.

use std::mem::take;

use candle_core::{DType, Tensor};
use ndarray::Array2;

use super::arrange::{Arrangement, Panel, headed};
use super::axes::{Axis, AxisScale, ends};
use super::canvas::{Canvas, Rect};
use super::figure::Figure;
use super::legend::{Key, Legend};
use super::palette::{MUTED, Style, WHITE, class_mark};
use super::plane::{BELOW, Plane, left_room};
use super::sheet::MARGIN;
use super::space::Space;
pub use super::space::View;
use super::text::{LABEL, largest};
use crate::error::{Error, Result};

/// The most that a panel takes of the figure's width.
const WIDEST: f64 = 400.;
/// Pixels around points in space, for the ticks of the box and the names of its axes.
const BOX_ROOM: f64 = 34.;
/// The depth cue: the size of the farthest and the nearest points, and how much white the farthest
/// have.
const FAR_SIZE: f64 = 0.7;
const NEAR_SIZE: f64 = 1.5;
const FAR_FOG: f64 = 0.65;

/// Points coloured by class. All axes have the same unit; points in space are the smaller and paler
/// the farther away they are.
///
/// ```
/// use isopath::figures::ScatterChart;
/// use isopath::ndarray::arr2;
/// # fn main() -> isopath::Result<()> {
/// let chart = ScatterChart {
///     title: "Two rings".into(),
///     points: arr2(&[[0., 1., 0.], [1., 0., 0.], [0.5, 0., 1.]]),
///     labels: vec![0, 0, 1],
///     classes: vec!["ring A".into(), "ring B".into()],
///     axes: vec!["x".into(), "y".into(), "z".into()],
///     ..ScatterChart::default()
/// };
/// assert!(chart.figure()?.svg.contains("ring B"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScatterChart {
    /// Above the chart; may be empty.
    pub title: String,
    /// (N, 2) in the plane or (N, 3) in space, finite; see [`points`].
    pub points: Array2<f64>,
    /// The class of each point; its colour is that of [`palette::class`](super::palette::class).
    pub labels: Vec<u32>,
    /// The classes' names for the legend, one for each label that occurs and those below; or empty,
    /// for no legend.
    pub classes: Vec<String>,
    /// The axes' names with their units, two or three; or empty where coordinates mean nothing, as
    /// UMAP's.
    pub axes: Vec<String>,
    /// From where points in space are seen.
    pub view: View,
    /// The legend's heading.
    pub legend: String,
    /// Small print below.
    pub note: String,
}

/// The rows of a tensor (N, D) of floating-point numbers, for [`ScatterChart::points`].
///
/// # Errors
/// `x` is no matrix.
pub fn points(x: &Tensor) -> Result<Array2<f64>> {
    let (rows, columns) = match *x.dims() {
        [rows, columns] => (rows, columns),
        _ => return Err(Error::shape("points", "x", "(N, 2) or (N, 3)", x.dims())),
    };
    let flat = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    Ok(Array2::from_shape_fn((rows, columns), |(row, column)| {
        flat[row * columns + column]
    }))
}

impl ScatterChart {
    /// Draws the chart, its legend on the right or, where its names are many or long, below.
    ///
    /// # Errors
    /// No point, points that have neither two nor three coordinates, a number that is not finite,
    /// not as many labels as points, a label that `classes` does not name, or not as many axes as
    /// coordinates.
    pub fn figure(&self) -> Result<Figure> {
        let mut chart = self.clone();
        let (title, note) = (take(&mut chart.title), take(&mut chart.note));
        let charts = vec![chart];
        ScatterPanels {
            title,
            columns: 1,
            charts,
            note,
        }
        .figure()
    }

    fn check(&self) -> Result<()> {
        let (n, coordinates) = self.points.dim();
        if n == 0 || !(2..=3).contains(&coordinates) {
            let (expected, shape) = ("(N, 2) or (N, 3), N at least 1", self.points.shape());
            return Err(Error::shape("scatter", "points", expected, shape));
        }
        if let Some(number) = self.points.iter().find(|number| !number.is_finite()) {
            return Err(Error::argument("points", "finite coordinates", number));
        }
        if self.labels.len() != n {
            let expected = format!("{n}, one a point");
            return Err(Error::argument("labels", expected, self.labels.len()));
        }
        let named = self.classes.len();
        let unnamed = |label: &&u32| named > 0 && **label as usize >= named;
        if let Some(label) = self.labels.iter().find(unnamed) {
            let expected = format!("below {named}, the number of classes");
            return Err(Error::argument("label", expected, label));
        }
        if !self.axes.is_empty() && self.axes.len() != coordinates {
            let expected = format!("{coordinates} names or none");
            return Err(Error::argument("axes", expected, self.axes.len()));
        }
        Ok(())
    }

    /// Each coordinate's lowest and highest value, a little apart even where they agree.
    fn ranges(&self) -> Vec<(f64, f64)> {
        let columns = self.points.columns().into_iter();
        let ranges: Vec<_> = columns.map(|column| ends(column.iter().copied())).collect();
        let widest = largest(ranges.iter().map(|(low, high)| high - low));
        let pad = if widest > 0. { 0.04 * widest } else { 0.5 };
        let ranges = ranges.into_iter();
        ranges.map(|(low, high)| (low - pad, high + pad)).collect()
    }

    /// A point's radius in pixels where the plot is `side` pixels wide: smaller where there are
    /// many.
    fn radius(&self, side: f64) -> f64 {
        (0.2 * side / (self.points.nrows() as f64).sqrt()).clamp(1.4, 3.4)
    }

    /// The axes of points in the plane, which fill `room` pixels with one unit for both.
    fn plane(&self, room: [f64; 2]) -> Result<[Axis; 2]> {
        let ranges = self.ranges();
        let units = ranges.iter().zip(room);
        let unit = largest(units.map(|((low, high), room)| (high - low) / room));
        let axis = |index: usize| {
            let (low, high) = ranges.get(index).copied().unwrap_or((0., 1.));
            let (middle, half) = ((low + high) / 2., unit * room[index] / 2.);
            let range = Some((middle - half, middle + half));
            Axis::spanning("points", AxisScale::Linear, [], range)
        };
        Ok([axis(0)?, axis(1)?])
    }

    fn paint(&self, canvas: &mut Canvas, rect: Rect) -> Result<()> {
        let radius = self.radius(rect.width());
        if self.points.ncols() == 3 {
            return self.paint_space(canvas, rect, radius);
        }
        let axes = self.plane([rect.width(), rect.height()])?;
        let mut plane = Plane::new(canvas, rect, axes)?;
        match self.axes.as_slice() {
            [x, y] => plane.mesh(x, Some(y))?,
            _ => canvas.frame(rect, MUTED, 0.8)?,
        }
        for (point, label) in self.points.outer_iter().zip(&self.labels) {
            plane.marks(
                [(point[0], point[1])],
                class_mark(*label as usize),
                [radius, 0.],
            )?;
        }
        Ok(())
    }

    fn paint_space(&self, canvas: &mut Canvas, rect: Rect, radius: f64) -> Result<()> {
        let room = if self.axes.is_empty() { 4. } else { BOX_ROOM };
        let inner = rect.grown([-room, 0., -room, -room]);
        let space = Space::new(canvas, inner, self.view, &self.ranges())?;
        space.names(canvas, &self.axes)?;
        let points = self.points.outer_iter().zip(&self.labels);
        let dots = points.map(|(p, label)| ([p[0], p[1], p[2]], *label));
        let mut dots: Vec<_> = dots.map(|(p, label)| (space.depth(p), p, label)).collect();
        // The farthest first, so that the near ones cover them.
        dots.sort_by_key(|(depth, ..)| std::cmp::Reverse(*depth));
        let [far, near] =
            [dots.first(), dots.last()].map(|dot| dot.map_or(0, |(depth, ..)| *depth));
        for (depth, point, label) in dots {
            let nearness = if far > near {
                f64::from(far - depth) / f64::from(far - near)
            } else {
                1.
            };
            let style = class_mark(label as usize);
            let color = style.color.towards(WHITE, FAR_FOG * (1. - nearness));
            let radius = radius * (FAR_SIZE + (NEAR_SIZE - FAR_SIZE) * nearness);
            space.mark(point, Style { color, ..style }, radius)?;
        }
        Ok(())
    }
}

impl Panel for ScatterChart {
    fn title(&self) -> &str {
        &self.title
    }

    fn names(&self) -> Vec<&str> {
        self.classes.iter().map(String::as_str).collect()
    }

    /// How many points each class has.
    fn words(&self) -> String {
        let mut counts = std::collections::BTreeMap::<u32, usize>::new();
        for label in &self.labels {
            *counts.entry(*label).or_default() += 1;
        }
        let counts = counts.into_iter().map(|(label, count)| {
            let name = self.classes.get(label as usize).cloned();
            format!(
                "{} {count}",
                name.unwrap_or_else(|| format!("class {label}"))
            )
        });
        let counts = counts.collect::<Vec<_>>().join(", ");
        let place = ["the plane", "space"][usize::from(self.points.ncols() == 3)];
        headed(
            &self.title,
            &format!("{} points in {place}; {counts}", self.points.nrows()),
        )
    }
}

/// Several charts of points in rows and columns with one legend.
///
/// Each keeps its own unit. Points in space may stand beside their layout in the plane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScatterPanels {
    /// Above everything; may be empty.
    pub title: String,
    /// Charts in a row; at least 1.
    pub columns: usize,
    /// The charts, row by row. One may have fewer classes than another, but a class has the same
    /// name in all.
    pub charts: Vec<ScatterChart>,
    /// Small print below everything.
    pub note: String,
}

impl ScatterPanels {
    /// Draws the charts with the classes of the chart that has most as their legend, on the right
    /// or, where their names are many or long, below.
    ///
    /// # Errors
    /// No chart, `columns` 0, a class whose name differs between charts, or an error of
    /// [`ScatterChart::figure`].
    pub fn figure(&self) -> Result<Figure> {
        self.charts.iter().try_for_each(ScatterChart::check)?;
        // The first of those with most classes.
        let named = self.charts.iter().rev().max_by_key(|c| c.classes.len());
        let Some(named) = named else {
            return Err(Error::argument("charts", "at least one chart", "empty"));
        };
        for chart in &self.charts {
            let mut pairs = chart.classes.iter().zip(&named.classes);
            if let Some((other, name)) = pairs.find(|(other, name)| other != name) {
                let got = format!("{other:?} in panel {:?}", chart.title);
                let expected = format!("{name:?} as in another panel");
                return Err(Error::argument("classes", expected, got));
            }
        }
        let names = named.names().into_iter().enumerate();
        let entries = names.map(|(at, name)| (name, class_mark(at), Key::Dot));
        let plane = |chart: &&ScatterChart| chart.points.ncols() == 2 && !chart.axes.is_empty();
        let planes = self.charts.iter().filter(plane);
        // The labels' room is known only once the plot's size is: a guess of the widest.
        let rooms = planes.map(|chart| Ok(left_room(&chart.plane([WIDEST; 2])?[1])));
        let left = largest(rooms.collect::<Result<Vec<f64>>>()?.into_iter());
        let (gap, below) = if left > 0. {
            (MARGIN + left, BELOW)
        } else {
            (18., LABEL.size)
        };
        let arrangement = Arrangement {
            title: &self.title,
            note: &self.note,
            columns: self.columns,
            panels: self.charts.iter().map(|chart| (chart, ())).collect(),
            widest: WIDEST,
            left,
            gap,
            legend: Legend {
                title: &named.legend,
                entries: entries.collect(),
            },
        };
        arrangement.draw(
            |width| (width, below),
            |canvas, (chart, ()), _, rect| chart.paint(canvas, rect),
        )
    }
}

#[cfg(test)]
mod tests {
    use plotters::coord::ranged1d::Ranged as _;

    use super::super::testing::{assert_well_formed, sample};
    use super::*;

    /// Two linked rings of `n` points each.
    fn rings(n: usize) -> ScatterChart {
        let point = |(row, axis): (usize, usize)| -> f64 {
            let t = std::f64::consts::TAU * (row % n) as f64 / n as f64;
            if row < n {
                [t.cos(), t.sin(), 0.][axis]
            } else {
                [1. + t.cos(), 0., t.sin()][axis]
            }
        };
        ScatterChart {
            title: "Rings <linked> & whole".into(),
            points: Array2::from_shape_fn((2 * n, 3), point),
            labels: (0..2 * n).map(|i| u32::from(i >= n)).collect(),
            classes: vec!["ring A".into(), "ring B".into()],
            axes: ["x", "y", "z"].map(String::from).to_vec(),
            note: "No noise.".into(),
            ..ScatterChart::default()
        }
    }

    fn plane() -> ScatterChart {
        let chart = rings(150);
        let points = chart.points.select(ndarray::Axis(1), &[0, 2]);
        ScatterChart {
            title: "From the side".into(),
            points,
            axes: vec!["x (m)".into(), "z (m)".into()],
            ..chart
        }
    }

    #[test]
    fn a_chart_carries_its_texts_and_is_the_same_twice() {
        let figure = rings(150).figure().unwrap();
        assert_well_formed(&figure);
        for text in [
            "Rings &lt;linked&gt; &amp; whole",
            "ring A",
            "ring B",
            "No noise.",
        ] {
            assert!(figure.svg.contains(text), "{text}");
        }
        for axis in ["x", "y", "z"] {
            assert!(figure.svg.contains(&format!(">\n{axis}\n<")), "{axis}");
        }
        assert!(
            figure
                .alt
                .contains("300 points in space; ring A 150, ring B 150."),
            "{}",
            figure.alt
        );
        assert_eq!(figure, rings(150).figure().unwrap());
        sample("scatter_space", &figure);
        let figure = plane().figure().unwrap();
        assert_well_formed(&figure);
        assert!(figure.svg.contains("z (m)") && figure.alt.contains("in the plane"));
        sample("scatter_plane", &figure);
    }

    #[test]
    fn space_and_plane_stand_side_by_side_with_one_legend() {
        let torus = |row: usize, axis: usize| -> f64 {
            let turn = |share: f64| std::f64::consts::TAU * (row as f64 * share).fract();
            let (u, v) = (turn(0.618_034), turn(0.414_214));
            [(2. + v.cos()) * u.cos(), (2. + v.cos()) * u.sin(), v.sin()][axis]
        };
        let regions = |count: usize, dimensions: usize| {
            let points = Array2::from_shape_fn((1600, dimensions), |(row, axis)| torus(row, axis));
            let label = |row: usize| ((row as f64 * 0.618_034).fract() * count as f64) as u32;
            ScatterChart {
                title: format!("{count} regions"),
                points,
                labels: (0..1600).map(label).collect(),
                classes: (0..count).map(|i| format!("region {i}")).collect(),
                ..ScatterChart::default()
            }
        };
        let panels = ScatterPanels {
            title: "Torus".into(),
            columns: 2,
            charts: vec![regions(3, 3), regions(12, 2)],
            note: "1,600 points.".into(),
        };
        let figure = panels.figure().unwrap();
        assert_well_formed(&figure);
        assert_eq!(figure.svg.matches(">\nregion 2\n<").count(), 1);
        assert_eq!(figure.svg.matches(">\nregion 11\n<").count(), 1);
        sample("scatter_panels", &figure);
        let mut other = panels.clone();
        other.charts[0].classes[1] = "another".into();
        let error = other.figure().unwrap_err().to_string();
        assert_eq!(
            error,
            "classes is \"another\" in panel \"3 regions\"; expected \"region 1\" as in another panel"
        );
        assert!(
            ScatterPanels {
                columns: 0,
                ..panels.clone()
            }
            .figure()
            .is_err()
        );
        assert!(
            ScatterPanels {
                charts: vec![],
                ..panels
            }
            .figure()
            .is_err()
        );
    }

    #[test]
    fn a_unit_is_equally_long_on_both_axes() {
        let wide = ScatterChart {
            points: ndarray::arr2(&[[0., 0.], [10., 1.]]),
            labels: vec![0, 1],
            ..plane()
        };
        let [x, y] = wide.plane([300., 200.]).unwrap();
        let (x, y) = (x.range(), y.range());
        let (across, up) = ((x.end - x.start) / 300., (y.end - y.start) / 200.);
        assert!((across / up - 1.).abs() < 1e-12, "{across} {up}");
        assert!(x.start < 0. && x.end > 10. && y.start < 0. && y.end > 1.);
    }

    #[test]
    fn a_chart_without_classes_has_no_legend() {
        let chart = ScatterChart {
            classes: Vec::new(),
            legend: "heading".into(),
            ..plane()
        };
        assert!(!chart.figure().unwrap().svg.contains("heading"));
    }

    #[test]
    fn awkward_points_are_drawn() {
        let one = |points: Array2<f64>| {
            let labels = vec![7; points.nrows()];
            let chart = ScatterChart {
                points,
                labels,
                ..ScatterChart::default()
            };
            assert_well_formed(&chart.figure().unwrap());
        };
        one(ndarray::arr2(&[[3., 4.]]));
        one(ndarray::arr2(&[[3., 4., 5.]]));
        one(ndarray::arr2(&[[1., 2., 3.], [1., 2., 3.]]));
        one(ndarray::arr2(&[[0., 0., -1e-200], [0., 0., 1e-200]]));
        for (azimuth, elevation) in [(0., 0.), (90., 90.), (-60., -90.), (400., 25.)] {
            let chart = ScatterChart {
                view: View { azimuth, elevation },
                ..rings(20)
            };
            assert_well_formed(&chart.figure().unwrap());
        }
    }

    #[test]
    fn bad_values_are_refused() {
        let message = |change: fn(&mut ScatterChart)| {
            let mut chart = rings(10);
            change(&mut chart);
            chart.figure().unwrap_err().to_string()
        };
        assert!(message(|c| c.points = Array2::zeros((0, 3))).contains("points has shape [0, 3]"));
        assert!(
            message(|c| c.points = Array2::zeros((20, 4)))
                .contains("expected (N, 2) or (N, 3), N at least 1")
        );
        assert_eq!(
            message(|c| c.points[[3, 1]] = f64::NAN),
            "points is NaN; expected finite coordinates"
        );
        assert_eq!(
            message(|c| c.labels.clear()),
            "labels is 0; expected 20, one a point"
        );
        assert_eq!(
            message(|c| c.labels[4] = 2),
            "label is 2; expected below 2, the number of classes"
        );
        assert_eq!(
            message(|c| c.axes = vec!["x".into()]),
            "axes is 1; expected 3 names or none"
        );
        assert!(message(|c| c.view.azimuth = f64::NAN).starts_with("view is (NaN, 25)"));
        assert!(
            message(|c| (c.points[[0, 0]], c.points[[1, 0]]) = (f64::MIN, f64::MAX))
                .contains("finite")
        );
        let cube = Tensor::zeros((2, 3, 4), DType::F32, &candle_core::Device::Cpu).unwrap();
        assert!(points(&cube).is_err());
        let flat = Tensor::arange(0f32, 6., &candle_core::Device::Cpu)
            .unwrap()
            .reshape((2, 3))
            .unwrap();
        assert_eq!(
            points(&flat).unwrap(),
            ndarray::arr2(&[[0., 1., 2.], [3., 4., 5.]])
        );
    }
}
