//! A chart of points in space, seen from one direction: plotters' three-dimensional
//! [`ChartContext`] with one unit for all axes.
//!
//! plotters' third axis points towards the viewer and its second one upwards, so that its (x, y, z)
//! are our (x, z, −y). The grid on the far walls is plotters'; the numbers and the names are ours,
//! since plotters names no axis in space and puts numbers beside an axis, not away from the box.

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian3d;
use plotters::style::TRANSPARENT;

use super::axes::{Axis, AxisScale, Tick};
use super::canvas::{Anchor, Area, Canvas, Point, Rect, UNITS, figure_error, mark, stroke, units};
use super::palette::{GRID, MUTED, Style};
use super::text::{LABEL, TICK};
use crate::error::{Error, Result};

/// Labelled ticks on an edge of the box; more would meet each other.
const TICKS: usize = 4;

/// From where points in space are seen: a direction, from infinitely far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Around the third axis, in degrees, from the first axis towards the second; −60 by default.
    pub azimuth: f64,
    /// Above the plane of the first two axes, in degrees; 25 by default.
    pub elevation: f64,
}

impl Default for View {
    fn default() -> Self {
        Self {
            azimuth: -60.,
            elevation: 25.,
        }
    }
}

/// A box in space: one unit is equally long along all three axes.
pub struct Space<'a> {
    chart: ChartContext<'a, SVGBackend<'a>, Cartesian3d<Axis, Axis, Axis>>,
    picture: Area<'a>,
    ranges: [(f64, f64); 3],
    ticks: [Vec<Tick>; 3],
}

impl<'a> Space<'a> {
    /// The far walls of a box that fills `rect`.
    ///
    /// # Errors
    /// Not three ranges, a direction that is not finite, or a box too large for numbers.
    pub fn new(canvas: &Canvas<'a>, rect: Rect, view: View, ranges: &[(f64, f64)]) -> Result<Self> {
        let View { azimuth, elevation } = view;
        if !(azimuth.is_finite() && elevation.is_finite()) {
            let got = format!("({azimuth}, {elevation})");
            return Err(Error::argument("view", "finite angles", got));
        }
        let &[x, y, z] = ranges else {
            return Err(Error::argument("coordinates", "three", ranges.len()));
        };
        let ranges = [x, y, z];
        // How long the box is in the picture, to the right and upwards.
        let (sin_a, cos_a) = azimuth.to_radians().sin_cos();
        let (sin_e, cos_e) = elevation.to_radians().sin_cos();
        let extent = |direction: [f64; 3]| -> f64 {
            let sides = direction.iter().zip(ranges);
            let lengths = sides.map(|(along, (low, high))| along.abs() * (high - low));
            lengths.sum()
        };
        let width = extent([sin_a, cos_a, 0.]);
        let height = extent([sin_e * cos_a, sin_e * sin_a, cos_e]);
        let scale = (rect.width() / width).min(rect.height() / height);
        if !(scale.is_finite() && scale > 0.) {
            let expected = "coordinates whose differences are finite";
            return Err(Error::argument("points", expected, format!("{width} wide")));
        }
        let axis = |range| Axis::spanning("points", AxisScale::Linear, [], Some(range));
        let [mut x, mut y, mut z] = [axis(x)?, axis(y)?, axis(z)?];
        let ticks = [&mut x, &mut y, &mut z].map(|axis| axis.unlabelled(TICKS));
        let [across, away, up] = ranges.map(|(low, high)| units((high - low) * scale));
        let mut chart = ChartBuilder::on(&canvas.part(rect))
            .build_cartesian_3d(x, z, y.reversed())
            .map_err(figure_error)?;
        chart
            .set_3d_pixel_range((across, up, away))
            .with_projection(|mut projection| {
                projection.yaw = (azimuth + 90.).to_radians();
                projection.pitch = elevation.to_radians();
                projection.into_matrix()
            });
        let mut walls = chart.configure_axes();
        walls.axis_panel_style(TRANSPARENT);
        walls.bold_grid_style(stroke(MUTED, 0.8));
        walls.light_grid_style(stroke(GRID, 0.8));
        walls.draw().map_err(figure_error)?;
        Ok(Self {
            chart,
            picture: canvas.picture(),
            ranges,
            ticks,
        })
    }

    /// How far away a point lies, in tenths of a pixel.
    pub fn depth(&self, [x, y, z]: [f64; 3]) -> i32 {
        self.chart.as_coord_spec().projected_depth(&x, &z, &y)
    }

    /// Where a point is seen, in pixels.
    fn place(&self, [x, y, z]: [f64; 3]) -> Point {
        let (across, down) = self.chart.plotting_area().map_coordinate(&(x, z, y));
        (f64::from(across) / UNITS, f64::from(down) / UNITS)
    }

    /// A marker of about `2 × radius` pixels with a white rim.
    pub fn mark(&self, [x, y, z]: [f64; 3], style: Style, radius: f64) -> Result<()> {
        let at = self.chart.plotting_area().map_coordinate(&(x, z, y));
        mark(&self.picture, at, style, [radius, 0.5])
    }

    /// Ticks' numbers and an axis' name along three edges, unless there are no names.
    pub fn names(&self, canvas: &mut Canvas, names: &[String]) -> Result<()> {
        let middle = self.ranges.map(|(low, high)| (low + high) / 2.);
        let with = |mut point: [f64; 3], axis: usize, value: f64| {
            point[axis] = value;
            point
        };
        for (axis, (name, ticks)) in names.iter().zip(&self.ticks).enumerate() {
            let edge = self.edge(axis, middle);
            let (from, to) = (self.place(middle), self.place(edge));
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let length = dx.hypot(dy);
            // Away from the box, across the edge.
            let (dx, dy) = match length > 0. {
                true => (dx / length, dy / length),
                false => (0., 1.),
            };
            let mut write = |at: [f64; 3], distance: f64, text: &str, font| {
                let (x, y) = self.place(at);
                let beside = (x + distance * dx, y + distance * dy);
                canvas.text(beside, text, font, Anchor::Center)
            };
            let mut last = (f64::NEG_INFINITY, 0.);
            for tick in ticks {
                let at = with(edge, axis, tick.value);
                let (x, y) = self.place(at);
                // Where the axis is short, numbers that would meet are left out.
                if (x - last.0).hypot(y - last.1) > 22. {
                    write(at, 13., &tick.label, TICK)?;
                    last = (x, y);
                }
            }
            write(edge, 31., name, LABEL)?;
        }
        Ok(())
    }

    /// The middle of the edge that carries the ticks of an axis: on the outline, at the bottom or,
    /// for the upright axis, at the left.
    fn edge(&self, axis: usize, middle: [f64; 3]) -> [f64; 3] {
        // Of each pair of walls plotters draws the farther one, of equals that at the low end.
        let end = |axis: usize, high: usize| [self.ranges[axis].0, self.ranges[axis].1][high];
        let corner = |bits: usize| [0, 1, 2].map(|axis| end(axis, bits >> axis & 1));
        let corners = (0..8).rev().map(corner);
        let far = corners.max_by_key(|c| self.depth(*c)).unwrap_or(middle);
        let near = [0, 1, 2].map(|axis| 2. * middle[axis] - far[axis]);
        // Edges between a far and a near wall are on the outline.
        let [a, b] = [(axis + 1) % 3, (axis + 2) % 3];
        let [first, second] = [(a, b), (b, a)].map(|(to_near, to_far)| {
            let mut edge = middle;
            (edge[to_near], edge[to_far]) = (near[to_near], far[to_far]);
            edge
        });
        let rank = |edge| {
            let (x, y) = self.place(edge);
            if axis == 2 { -x } else { y }
        };
        if rank(first) >= rank(second) {
            first
        } else {
            second
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::canvas::draw;
    use super::*;

    /// What `check` finds in a cube with edges 2 long, seen in a picture of 200 × 200 pixels.
    fn seen(azimuth: f64, elevation: f64, check: impl Fn(&Space)) {
        draw((200., 200.), "cube".into(), |canvas| {
            let (rect, view) = (Rect::new((0., 0.), 200., 200.), View { azimuth, elevation });
            check(&Space::new(canvas, rect, view, &[(-1., 1.); 3])?);
            Ok(())
        })
        .unwrap();
    }

    /// plotters cuts positions off at tenths of a pixel.
    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 0.25
    }

    #[test]
    fn axes_point_where_the_view_says() {
        // Seen from the second axis' negative end: x to the right, z upwards, y away.
        seen(-90., 0., |front| {
            let at = |point| front.place(point);
            assert!(near(at([0., 0., 0.]).0, 100.) && near(at([0., 0., 0.]).1, 100.));
            assert!(near(at([1., 0., 0.]).0, 200.) && near(at([0., 0., 1.]).1, 0.));
            assert!(front.depth([0., 1., 0.]) > front.depth([0., -1., 0.]) + 1000);
        });
        // From the first axis' positive end: y to the right.
        seen(0., 0., |side| {
            assert!(near(side.place([0., 1., 0.]).0, 200.));
            assert!(side.depth([-1., 0., 0.]) > side.depth([1., 0., 0.]) + 1000);
        });
        // From above: y upwards.
        seen(-90., 90., |above| {
            assert!(near(above.place([0., 1., 0.]).1, 0.));
            assert!(above.depth([0., 0., -1.]) > above.depth([0., 0., 1.]) + 1000);
        });
    }

    #[test]
    fn the_picture_of_a_box_fills_the_rectangle_and_no_more() {
        for (azimuth, elevation) in [(-60., 25.), (10., -70.), (200., 89.)] {
            seen(azimuth, elevation, |space| {
                let end = |bit: usize| if bit & 1 == 1 { 1. } else { -1. };
                let corners =
                    (0..8).map(|bits| space.place([0, 1, 2].map(|axis| end(bits >> axis))));
                let ends: Vec<f64> = corners.flat_map(|(x, y)| [x, y]).collect();
                assert!(ends.iter().all(|v| (-0.2..=200.2).contains(v)), "{ends:?}");
                assert!(
                    near(ends.iter().copied().fold(0., f64::max), 200.),
                    "{ends:?}"
                );
            });
        }
    }
}
