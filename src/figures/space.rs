//! Points in space as they are seen from one direction, and the box around them.

use super::axes::{Axis, AxisScale, LABEL, TICK};
use super::canvas::{Anchor, Canvas, Dash, Point, Rect};
use super::palette::{GRID, MUTED};
use super::scatter::View;
use crate::error::{Error, Result};

/// Labelled ticks on an edge of the box; more would meet each other.
const TICKS: usize = 4;

/// A parallel projection of a box into a rectangle: one unit is equally long along all three axes.
pub struct Projection {
    ranges: [(f64, f64); 3],
    /// The unit vectors of the picture: to the right, upwards, towards the viewer.
    right: [f64; 3],
    up: [f64; 3],
    towards: [f64; 3],
    /// Pixels a unit.
    scale: f64,
    /// The picture's middle, in pixels and in the projected units.
    middle: Point,
    center: Point,
}

/// Where a point of space is seen.
pub struct Place {
    pub at: Point,
    /// How far towards the viewer, in the points' unit.
    pub depth: f64,
}

impl Projection {
    /// # Errors
    /// Not three ranges, a direction that is not finite, or a box too large for numbers.
    pub fn new(view: View, ranges: &[(f64, f64)], rect: Rect) -> Result<Self> {
        let View { azimuth, elevation } = view;
        if !(azimuth.is_finite() && elevation.is_finite()) {
            return Err(Error::argument(
                "view",
                "finite angles",
                format!("({azimuth}, {elevation})"),
            ));
        }
        let &[x, y, z] = ranges else {
            return Err(Error::argument("coordinates", "three", ranges.len()));
        };
        let ((sin_a, cos_a), (sin_e, cos_e)) = (
            azimuth.to_radians().sin_cos(),
            elevation.to_radians().sin_cos(),
        );
        let mut projection = Self {
            ranges: [x, y, z],
            right: [-sin_a, cos_a, 0.],
            up: [-sin_e * cos_a, -sin_e * sin_a, cos_e],
            towards: [cos_e * cos_a, cos_e * sin_a, sin_e],
            scale: 1.,
            middle: ((rect.left + rect.right) / 2., (rect.top + rect.bottom) / 2.),
            center: (0., 0.),
        };
        let span = |along: [f64; 3]| {
            let values = projection.corners().map(|corner| dot(along, corner));
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            })
        };
        let (across, upwards) = (span(projection.right), span(projection.up));
        let (width, height) = (across.1 - across.0, upwards.1 - upwards.0);
        let scale = ((rect.right - rect.left) / width).min((rect.bottom - rect.top) / height);
        if !(scale.is_finite() && scale > 0.) {
            return Err(Error::argument(
                "points",
                "coordinates whose differences are finite",
                format!("{width} wide"),
            ));
        }
        projection.scale = scale;
        projection.center = ((across.0 + across.1) / 2., (upwards.0 + upwards.1) / 2.);
        Ok(projection)
    }

    pub fn place(&self, point: [f64; 3]) -> Place {
        let x = self.middle.0 + self.scale * (dot(self.right, point) - self.center.0);
        let y = self.middle.1 - self.scale * (dot(self.up, point) - self.center.1);
        Place {
            at: (x, y),
            depth: dot(self.towards, point),
        }
    }

    fn corners(&self) -> impl Iterator<Item = [f64; 3]> {
        (0..8).map(|bits| std::array::from_fn(|axis| self.end(axis, bits >> axis & 1 == 1)))
    }

    fn end(&self, axis: usize, high: bool) -> f64 {
        if high {
            self.ranges[axis].1
        } else {
            self.ranges[axis].0
        }
    }

    /// The three far walls of the box with their grids; ticks and names along three edges, unless
    /// there are no names.
    pub fn paint_box(&self, canvas: &mut Canvas, names: &[String]) -> Result<()> {
        // Of each pair of walls the one that is farther from the viewer.
        let far: [f64; 3] = std::array::from_fn(|axis| self.end(axis, self.towards[axis] < 0.));
        let near: [f64; 3] = std::array::from_fn(|axis| self.end(axis, self.towards[axis] >= 0.));
        let axes = self
            .ranges
            .map(|range| Axis::spanning("points", AxisScale::Linear, [], Some(range)));
        for (index, axis) in axes.into_iter().enumerate() {
            let axis = axis?;
            let labelled: Vec<_> = axis.ticks.iter().collect();
            let every = labelled.len().div_ceil(TICKS).max(1);
            let [a, b] = [(index + 1) % 3, (index + 2) % 3];
            let line = |at: f64, from: [f64; 3], along: usize, to: f64| -> [Point; 2] {
                let (mut from, mut end) = (from, from);
                (from[index], end[index], end[along]) = (at, at, to);
                [self.place(from).at, self.place(end).at]
            };
            for (at, color) in labelled
                .iter()
                .step_by(every)
                .map(|tick| (tick.value, GRID))
                .chain([(self.ranges[index].0, MUTED), (self.ranges[index].1, MUTED)])
            {
                canvas.path(&line(at, far, a, near[a]), color, 0.8, Dash::Solid)?;
                canvas.path(&line(at, far, b, near[b]), color, 0.8, Dash::Solid)?;
            }
            let Some(name) = names.get(index) else {
                continue;
            };
            let edge = self.labelled_edge(index, far, near);
            let at = |value: f64| {
                let mut point = edge;
                point[index] = value;
                self.place(point).at
            };
            let outwards = self.outwards(index, edge);
            let beside = |(x, y): Point, distance: f64| {
                (x + distance * outwards.0, y + distance * outwards.1)
            };
            for tick in labelled.iter().step_by(every) {
                canvas.text(
                    beside(at(tick.value), 13.),
                    &tick.label,
                    TICK,
                    Anchor::Middle,
                )?;
            }
            let middle = at((self.ranges[index].0 + self.ranges[index].1) / 2.);
            canvas.text(beside(middle, 31.), name, LABEL, Anchor::Middle)?;
        }
        Ok(())
    }

    /// A point of the edge that carries the ticks of an axis: on the outline, at the bottom or, for
    /// the upright axis, at the left.
    fn labelled_edge(&self, axis: usize, far: [f64; 3], near: [f64; 3]) -> [f64; 3] {
        // Edges between a far and a near wall are on the outline.
        let [a, b] = [(axis + 1) % 3, (axis + 2) % 3];
        let candidates = [(a, b), (b, a)].map(|(to_near, to_far)| {
            let mut edge = far;
            (edge[to_near], edge[to_far]) = (near[to_near], far[to_far]);
            edge[axis] = (self.ranges[axis].0 + self.ranges[axis].1) / 2.;
            edge
        });
        let [first, second] = candidates;
        let rank = |edge| {
            let (x, y) = self.place(edge).at;
            if axis == 2 { -x } else { y }
        };
        if rank(first) >= rank(second) {
            first
        } else {
            second
        }
    }

    /// The direction in the picture, one pixel long, from the box's middle across an edge.
    fn outwards(&self, axis: usize, edge: [f64; 3]) -> Point {
        let mut middle = edge;
        middle[axis] = (self.ranges[axis].0 + self.ranges[axis].1) / 2.;
        let from = self
            .place(std::array::from_fn(|k| {
                (self.ranges[k].0 + self.ranges[k].1) / 2.
            }))
            .at;
        let to = self.place(middle).at;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        if length > 0. {
            (dx / length, dy / length)
        } else {
            (0., 1.)
        }
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projection(azimuth: f64, elevation: f64) -> Projection {
        let rect = Rect {
            left: 0.,
            top: 0.,
            right: 200.,
            bottom: 200.,
        };
        Projection::new(View { azimuth, elevation }, &[(-1., 1.); 3], rect).unwrap()
    }

    #[test]
    fn axes_point_where_the_view_says() {
        // Seen from the second axis' negative end: x to the right, z upwards, y away.
        let front = projection(-90., 0.);
        let at = |point| front.place(point);
        assert!(
            (at([0., 0., 0.]).at.0 - 100.).abs() < 1e-9
                && (at([0., 0., 0.]).at.1 - 100.).abs() < 1e-9
        );
        assert!((at([1., 0., 0.]).at.0 - 200.).abs() < 1e-9);
        assert!(at([0., 0., 1.]).at.1.abs() < 1e-9);
        assert!(
            (at([0., -1., 0.]).depth - 1.).abs() < 1e-9
                && (at([0., 1., 0.]).depth + 1.).abs() < 1e-9
        );
        // From above: y upwards.
        let above = projection(-90., 90.);
        assert!(above.place([0., 1., 0.]).at.1.abs() < 1e-9);
        assert!((above.place([0., 0., 1.]).depth - 1.).abs() < 1e-9);
    }

    #[test]
    fn the_picture_of_a_box_fills_the_rectangle_and_no_more() {
        for (azimuth, elevation) in [(-60., 25.), (10., -70.), (200., 89.)] {
            let projection = projection(azimuth, elevation);
            let places: Vec<Point> = projection
                .corners()
                .map(|corner| projection.place(corner).at)
                .collect();
            let inside = |v: f64| (-1e-9..=200. + 1e-9).contains(&v);
            assert!(
                places.iter().all(|(x, y)| inside(*x) && inside(*y)),
                "{places:?}"
            );
            let reach = places.iter().flat_map(|(x, y)| [*x, *y]).fold(0., f64::max);
            assert!((reach - 200.).abs() < 1e-9, "{reach}");
        }
    }
}
