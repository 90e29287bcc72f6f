//! Contour lines of a function of the plane.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::canvas::Point;

/// A closed line along which the function has one of the levels.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Its corners, each once.
    pub points: Vec<Point>,
    /// Which of the levels.
    pub level: usize,
    /// Whether the function is larger just inside than just outside.
    pub rises: bool,
    /// The enclosed area, as a share of the whole rectangle.
    pub area: f64,
}

/// A corner of a triangle: its place and the function's value.
type Corner = (usize, Point, f64);

/// A function on a grid, surrounded by smaller values at the same places, so that every line closes.
struct Padded {
    x: Vec<f64>,
    y: Vec<f64>,
    /// By row.
    values: Vec<f64>,
}

impl Padded {
    fn new(x: &[f64], y: &[f64], values: &Array2<f64>, below: f64) -> Self {
        let padded = |axis: &[f64]| -> Vec<f64> {
            let (first, last) = (axis.first(), axis.last());
            first.into_iter().chain(axis).chain(last).copied().collect()
        };
        let rows = -1..=y.len() as isize;
        let columns = -1..=x.len() as isize;
        let value = |row: isize, column: isize| {
            let index = (usize::try_from(row).ok()?, usize::try_from(column).ok()?);
            values.get(index).copied()
        };
        let values = rows.flat_map(|row| {
            let columns = columns.clone();
            columns.map(move |column| value(row, column).unwrap_or(below))
        });
        Self {
            values: values.collect(),
            x: padded(x),
            y: padded(y),
        }
    }

    fn corner(&self, row: usize, column: usize) -> Corner {
        let at = row * self.x.len() + column;
        (at, (self.x[column], self.y[row]), self.values[at])
    }

    /// Two for each cell, their corners anticlockwise.
    fn triangles(&self) -> impl Iterator<Item = [Corner; 3]> {
        (1..self.y.len()).flat_map(move |row| {
            (1..self.x.len()).flat_map(move |column| {
                let [a, b] = [column - 1, column].map(|column| self.corner(row - 1, column));
                let [c, d] = [column - 1, column].map(|column| self.corner(row, column));
                [[a, b, d], [a, d, c]]
            })
        })
    }

    /// The closed lines of one level; larger values lie on the left.
    fn lines(&self, level: f64) -> Vec<Vec<Point>> {
        // From the edge where a line enters a triangle to that where it leaves.
        let mut next: BTreeMap<(usize, usize), ((usize, usize), Point)> = BTreeMap::new();
        for [a, b, c] in self.triangles() {
            for [own, after, before] in [[a, b, c], [b, c, a], [c, a, b]] {
                let is_high = |corner: Corner| corner.2 >= level;
                if is_high(after) != is_high(before) || is_high(own) == is_high(after) {
                    continue;
                }
                // The corner that differs from both others is cut off.
                let (enter, leave) = if is_high(own) {
                    (after, before)
                } else {
                    (before, after)
                };
                let place = crossing(own, leave, level);
                next.insert(edge(own, enter), (edge(own, leave), place));
            }
        }
        let mut lines = Vec::new();
        while let Some((start, (mut at, place))) = next.pop_first() {
            let mut line = vec![place];
            while at != start {
                let Some((after, place)) = next.remove(&at) else {
                    break;
                };
                line.push(place);
                at = after;
            }
            lines.push(line);
        }
        lines
    }
}

fn edge(a: Corner, b: Corner) -> (usize, usize) {
    (a.0.min(b.0), a.0.max(b.0))
}

/// Where the value is `level` between two corners, on one side of which it lies.
fn crossing(a: Corner, b: Corner, level: f64) -> Point {
    // In one order, so that both triangles of an edge find the same place.
    let (a, b) = if a.0 < b.0 { (a, b) } else { (b, a) };
    let t = (level - a.2) / (b.2 - a.2);
    let between = |a: f64, b: f64| a + t * (b - a);
    (between(a.1.0, b.1.0), between(a.1.1, b.1.1))
}

/// The rings of all levels (ascending), those that hold others first: painted in this order, each
/// over the ones before, they give the bands between the levels.
///
/// `x` and `y` ascend, with at least two values each; `values` has a row for each y.
pub fn rings(x: &[f64], y: &[f64], values: &Array2<f64>, levels: &[f64]) -> Vec<Ring> {
    let below = values.iter().chain(levels).copied().fold(0., f64::min);
    let padded = Padded::new(x, y, values, 2. * below - 1.);
    let [width, height] = [x, y].map(|axis| axis[axis.len() - 1] - axis[0]);
    let mut rings = Vec::new();
    for (level, value) in levels.iter().enumerate() {
        for line in padded.lines(*value) {
            let area = signed_area(&line) / (width * height);
            if area == 0. {
                continue;
            }
            rings.push(Ring {
                points: thinned(&line, [width, height]),
                level,
                rises: area > 0.,
                area: area.abs(),
            });
        }
    }
    // Of equally large ones, along the edge of the grid, the lower level holds the higher one.
    rings.sort_by(|a, b| b.area.total_cmp(&a.area).then(a.level.cmp(&b.level)));
    rings
}

/// Positive where the line goes anticlockwise.
fn signed_area(line: &[Point]) -> f64 {
    let pairs = line.iter().zip(line.iter().cycle().skip(1));
    pairs.map(|(a, b)| (a.0 * b.1 - b.0 * a.1) / 2.).sum()
}

/// How far a line may be from the points that are left out, in thousandths of the rectangle.
const TOLERANCE: f64 = 0.6;

/// A closed line with fewer corners (Ramer 1972; Douglas & Peucker 1973).
fn thinned(line: &[Point], [width, height]: [f64; 2]) -> Vec<Point> {
    let scaled = |(x, y): &Point| (1e3 * x / width, 1e3 * y / height);
    let scaled: Vec<Point> = line.iter().map(scaled).collect();
    let away = |at: usize| {
        let (from, to) = (scaled[0], scaled[at]);
        (to.0 - from.0).hypot(to.1 - from.1)
    };
    let furthest = (0..line.len()).max_by(|a, b| away(*a).total_cmp(&away(*b)));
    let furthest = furthest.unwrap_or(0);
    let mut kept = vec![false; line.len()];
    let mut parts = vec![(0, furthest), (furthest, line.len())];
    while let Some((first, last)) = parts.pop() {
        kept[first] = true;
        let (from, to) = (scaled[first], scaled[last % line.len()]);
        let chord = (to.0 - from.0, to.1 - from.1);
        let length = chord.0.hypot(chord.1).max(f64::MIN_POSITIVE);
        let distance = |at: &usize| {
            let (x, y) = (scaled[*at].0 - from.0, scaled[*at].1 - from.1);
            (x * chord.1 - y * chord.0).abs() / length
        };
        let inner = first + 1..last;
        if let Some(at) = inner.max_by(|a, b| distance(a).total_cmp(&distance(b)))
            && distance(&at) > TOLERANCE
        {
            parts.extend([(first, at), (at, last)]);
        }
    }
    let kept = line.iter().zip(kept).filter(|(_, kept)| *kept);
    kept.map(|(point, _)| *point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(count: usize) -> Vec<f64> {
        (0..count)
            .map(|i| -1. + 2. * i as f64 / (count - 1) as f64)
            .collect()
    }

    fn of(f: impl Fn(f64, f64) -> f64, levels: &[f64]) -> Vec<Ring> {
        let axis = grid(61);
        let values = Array2::from_shape_fn((61, 61), |(row, column)| f(axis[column], axis[row]));
        rings(&axis, &axis, &values, levels)
    }

    #[test]
    fn circles_have_their_radius_and_lie_in_each_other() {
        let rings = of(|x, y| -(x * x + y * y), &[-0.64, -0.25, -0.04]);
        assert_eq!(rings.len(), 3);
        for (ring, (level, radius)) in rings.iter().zip([(0, 0.8), (1, 0.5), (2, 0.2)]) {
            assert_eq!((ring.level, ring.rises), (level, true));
            let area = std::f64::consts::PI * radius * radius / 4.;
            assert!((ring.area - area).abs() < 2e-3, "{} {area}", ring.area);
            for (x, y) in &ring.points {
                assert!((x.hypot(*y) - radius).abs() < 2e-3);
            }
        }
    }

    #[test]
    fn a_well_is_a_hole_and_lines_close_along_the_edge() {
        // The level's set is the square without a disc.
        let rings = of(|x, y| x * x + y * y, &[0.25, 9.]);
        assert_eq!(rings.len(), 2);
        assert!(rings[0].rises && (rings[0].area - 1.).abs() < 1e-12);
        assert!(!rings[1].rises && rings[1].level == 0);
        // Half of the square, its line along three edges.
        let rings = of(|x, _| x, &[0.]);
        assert!((rings[0].area - 0.5).abs() < 1e-12 && rings.len() == 1);
        // A saddle: two quarters.
        let rings = of(|x, y| x * y, &[1e-9]);
        let areas: Vec<f64> = rings.iter().map(|ring| ring.area).collect();
        assert!(areas.len() == 2 && areas.iter().all(|area| (area - 0.25).abs() < 1e-3));
    }
}
