//! Contour lines of a function of the plane.

use std::cmp::Reverse;
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
    /// How many points of the grid lie inside.
    pub holds: usize,
}

/// An edge of a triangle: the smaller and the larger place of its corners.
type Edge = (usize, usize);

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

    /// The closed lines of one level, larger values on the left, each with the number of the grid's
    /// points inside, which is negative where those next to the line have smaller values.
    fn lines(&self, level: f64) -> Vec<(Vec<Point>, isize)> {
        // From the edge where a line enters a triangle to that where it leaves.
        let mut next: BTreeMap<Edge, (Edge, Point)> = BTreeMap::new();
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
            let (mut line, mut inside) = (vec![place], self.counted(at, level));
            while at != start {
                let Some((after, place)) = next.remove(&at) else {
                    break;
                };
                line.push(place);
                inside += self.counted(after, level);
                at = after;
            }
            lines.push((line, inside));
        }
        lines
    }

    /// What an edge that a line crosses adds to the number of points inside: along a row, the
    /// points up to where large values end, less the points up to where they begin.
    fn counted(&self, (left, right): Edge, level: f64) -> isize {
        let points = (right % self.x.len()) as isize;
        match (right - left, self.values[left] >= level) {
            (1, true) => points,
            (1, false) => -points,
            // The other edges join two rows.
            _ => 0,
        }
    }
}

fn edge(a: Corner, b: Corner) -> Edge {
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

/// The rings of all levels (ascending), each after those that hold it: painted in this order, each
/// over the ones before, they give the bands between the levels.
///
/// `x` and `y` ascend, with at least two values each; `values` has a row for each y.
pub fn rings(x: &[f64], y: &[f64], values: &Array2<f64>, levels: &[f64]) -> Vec<Ring> {
    let below = values.iter().chain(levels).copied().fold(0., f64::min);
    let padded = Padded::new(x, y, values, 2. * below - 1.);
    let [width, height] = [x, y].map(|axis| axis[axis.len() - 1] - axis[0]);
    let mut rings = Vec::new();
    for (level, value) in levels.iter().enumerate() {
        for (line, inside) in padded.lines(*value) {
            // A line around a single value that is the level itself has no inside to paint.
            if signed_area(&line) == 0. {
                continue;
            }
            rings.push(Ring {
                points: thinned(&line, [width, height]),
                level,
                rises: inside > 0,
                holds: inside.unsigned_abs(),
            });
        }
    }
    // A ring holds no more points than the ring around it, and as many only where both cross the
    // same edges: there values rise through the lower level first, or fall through the higher one.
    // Areas cannot tell: those of rings along the edge of the grid differ in rounding alone.
    rings.sort_by_key(|ring| {
        let level = ring.level as isize;
        (Reverse(ring.holds), if ring.rises { level } else { -level })
    });
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

    fn of(count: usize, f: impl Fn(f64, f64) -> f64, levels: &[f64]) -> Vec<Ring> {
        let axis = grid(count);
        let value = |(row, column): (usize, usize)| f(axis[column], axis[row]);
        let values = Array2::from_shape_fn((count, count), value);
        rings(&axis, &axis, &values, levels)
    }

    /// The enclosed area, as a share of the whole square.
    fn area(ring: &Ring) -> f64 {
        signed_area(&ring.points).abs() / 4.
    }

    fn is_inside(ring: &Ring, (x, y): Point) -> bool {
        let ends = ring.points.iter().zip(ring.points.iter().cycle().skip(1));
        let right = ends.filter(|(a, b)| {
            let across = (a.1 > y) != (b.1 > y);
            across && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0)
        });
        right.count() % 2 == 1
    }

    /// How many levels lie below the colour that painting leaves at a point.
    fn band(rings: &[Ring], at: Point) -> usize {
        let last = rings.iter().rfind(|ring| is_inside(ring, at));
        last.map_or(0, |ring| ring.level + usize::from(ring.rises))
    }

    #[test]
    fn circles_have_their_radius_and_lie_in_each_other() {
        let rings = of(61, |x, y| -(x * x + y * y), &[-0.64, -0.25, -0.04]);
        assert_eq!(rings.len(), 3);
        for (ring, (level, radius)) in rings.iter().zip([(0, 0.8), (1, 0.5), (2, 0.2)]) {
            assert_eq!((ring.level, ring.rises), (level, true));
            let expected = std::f64::consts::PI * radius * radius / 4.;
            assert!((area(ring) - expected).abs() < 2e-3, "{}", area(ring));
            for (x, y) in &ring.points {
                assert!((x.hypot(*y) - radius).abs() < 2e-3);
            }
        }
    }

    #[test]
    fn a_well_is_a_hole_and_lines_close_along_the_edge() {
        // The level's set is the square without a disc.
        let rings = of(61, |x, y| x * x + y * y, &[0.25, 9.]);
        assert_eq!(rings.len(), 2);
        assert!(rings[0].rises && (area(&rings[0]) - 1.).abs() < 1e-12);
        assert_eq!(rings[0].holds, 61 * 61);
        assert!(!rings[1].rises && rings[1].level == 0);
        // Half of the square, its line along three edges.
        let rings = of(61, |x, _| x, &[0.]);
        assert!((area(&rings[0]) - 0.5).abs() < 1e-12 && rings.len() == 1);
        // A saddle: two quarters.
        let rings = of(61, |x, y| x * y, &[1e-9]);
        assert!(rings.len() == 2);
        assert!(rings.iter().all(|ring| (area(ring) - 0.25).abs() < 1e-3));
    }

    #[test]
    fn of_levels_that_cover_the_whole_grid_the_lowest_is_painted_first() {
        // A grid of sevenths, so that areas are rounded.
        let levels: Vec<f64> = (-8..3).map(|level| f64::from(level) + 0.3).collect();
        let f = |x: f64, y: f64| 3. * x * x - 2. * y + x * y;
        let rings = of(8, f, &levels);
        let whole = rings.iter().filter(|ring| ring.holds == 64);
        let whole: Vec<usize> = whole.map(|ring| ring.level).collect();
        assert_eq!(whole, [0, 1, 2, 3, 4, 5]);
        // Of the points at the edge, lines run through some.
        for x in &grid(8)[1..7] {
            for y in &grid(8)[1..7] {
                let below = levels.iter().filter(|level| **level < f(*x, *y));
                assert_eq!(band(&rings, (*x, *y)), below.count(), "{x} {y}");
            }
        }
    }

    #[test]
    fn of_lines_in_one_place_a_hole_has_the_highest_first() {
        // A cliff so steep that the lines of all levels run along its foot.
        let (cliff, levels) = (1e18, [1., 2., 3., 4., 5.]);
        let inner = |x: f64, y: f64| x.abs().max(y.abs()) < 0.6;
        let well = of(5, |x, y| if inner(x, y) { 0. } else { cliff }, &levels);
        let hill = of(5, |x, y| if inner(x, y) { cliff } else { 0. }, &levels);
        let order = |rings: &[Ring], holds| -> Vec<usize> {
            let rings = rings.iter().filter(|ring| ring.holds == holds);
            rings.map(|ring| ring.level).collect()
        };
        assert_eq!(order(&well, 25), [0, 1, 2, 3, 4]);
        assert_eq!(order(&well, 9), [4, 3, 2, 1, 0]);
        assert_eq!(order(&hill, 9), [0, 1, 2, 3, 4]);
        let bands = |rings: &[Ring]| [0., 0.9].map(|x| band(rings, (x, 0.)));
        assert_eq!((bands(&well), bands(&hill)), ([0, 5], [5, 5]));
    }
}
