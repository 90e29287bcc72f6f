//! The points of a segment at which a step of a network has a breakpoint.

use super::kernel::Kernel;
use super::program::Program;

/// A distance in t that rounding cannot tell from none: of two such breakpoints one is enough.
const CLOSE: f64 = 4. * f64::EPSILON;

/// A point of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// The share of the segment from its start to the point.
    pub t: f64,
    /// The stage that has a breakpoint there; none for the ends.
    pub stage: Option<usize>,
    /// The number of units that change there.
    pub units: usize,
}

/// Where a point lies among the points before: at one of them, or between it and the next.
pub(super) struct Place {
    pub before: usize,
    /// The share of the way to the next one; 0 at a point itself.
    pub share: f64,
    /// Where in [`Sequence::zeros`] the units begin that change, and how many.
    units: [usize; 2],
}

/// Points with all breakpoints of a step between them, in order.
pub(super) struct Sequence {
    pub points: Vec<Point>,
    pub places: Vec<Place>,
    /// Units, by their place in a row.
    zeros: Vec<u32>,
}

impl Sequence {
    /// The breakpoints of `step` between neighbours of `points`, whose values before it are the rows
    /// `numbers`.
    pub fn new(program: &Program, step: usize, points: &[Point], numbers: &[f64]) -> Self {
        let size = program.shapes[program.steps[step].input].pixels.image();
        let pairs = points.windows(2).enumerate();
        let found: Vec<Vec<(f64, u32)>> = pairs
            .map(|(pair, ends)| {
                let row = |at: usize| &numbers[at * size..][..size];
                let rows = [row(pair), row(pair + 1)];
                changes(program, step, rows, ends[1].t - ends[0].t)
            })
            .collect();
        Self::of(program.steps[step].stage, points, &found)
    }

    /// With the breakpoints of a step of `stage` behind each of `points`: the shares of the way to the
    /// next one, in order, each with its unit.
    pub fn of(stage: usize, points: &[Point], found: &[Vec<(f64, u32)>]) -> Self {
        let mut sequence = Self {
            points: Vec::new(),
            places: Vec::new(),
            zeros: Vec::new(),
        };
        for (at, point) in points.iter().enumerate() {
            sequence.push(*point, at, 0.);
            let (Some(found), Some(end)) = (found.get(at), points.get(at + 1)) else {
                continue;
            };
            for (share, unit) in found {
                let t = point.t + share * (end.t - point.t);
                let last = sequence.points.last().map_or(point.t, |last| last.t);
                if t - point.t <= CLOSE || end.t - t <= CLOSE {
                    continue;
                }
                if t - last > CLOSE {
                    let units = 0;
                    let stage = Some(stage);
                    sequence.push(Point { t, stage, units }, at, *share);
                }
                sequence.zeros.push(*unit);
                if let (Some(point), Some(place)) =
                    (sequence.points.last_mut(), sequence.places.last_mut())
                {
                    point.units += 1;
                    place.units[1] += 1;
                }
            }
        }
        sequence
    }

    /// The units that change at point `at`, by their place in a row.
    pub fn units(&self, at: usize) -> &[u32] {
        let [first, count] = self.places[at].units;
        &self.zeros[first..][..count]
    }

    fn push(&mut self, point: Point, before: usize, share: f64) {
        self.points.push(point);
        self.places.push(Place {
            before,
            share,
            units: [self.zeros.len(), 0],
        });
    }

    /// The result of `step` at point `at` of the sequence; `numbers` as before.
    pub fn apply(
        &self,
        program: &Program,
        (step, at): (usize, usize),
        numbers: &[f64],
        result: &mut [f64],
    ) {
        let (place, rows) = (&self.places[at], program.rows);
        let from = program.shapes[program.steps[step].input].pixels;
        let size = from.image();
        let row = |at: usize| &numbers[at * size..][..size];
        let before = row(place.before);
        let after = (place.share > 0.).then(|| row(place.before + 1));
        match (&program.steps[step].kernel, after) {
            (Kernel::Largest(windows), Some(after)) => {
                let mut between = vec![0.; size];
                rows.between(before, after, place.share, &mut between);
                windows.largest(from, &between, result);
            }
            (Kernel::Largest(windows), None) => windows.largest(from, before, result),
            (_, Some(after)) => {
                rows.relu_between(before, after, place.share, result);
                for unit in self.units(at) {
                    result[*unit as usize] = 0.;
                }
            }
            (_, None) => rows.relu(before, result),
        }
    }
}

/// The shares of the way between two rows at which a unit changes, in order, each with its unit;
/// `length` is the distance in t.
fn changes(program: &Program, step: usize, [a, b]: [&[f64]; 2], length: f64) -> Vec<(f64, u32)> {
    let mut shares = Vec::new();
    if length <= 2. * CLOSE {
        return shares;
    }
    match &program.steps[step].kernel {
        Kernel::Largest(windows) => {
            let from = program.shapes[program.steps[step].input].pixels;
            windows.changes(from, [a, b], &mut shares);
        }
        _ => {
            let mut units = Vec::new();
            program.rows.sign_changes(a, b, &mut units);
            shares.extend(units.into_iter().map(|unit| {
                let (a, b) = (a[unit as usize], b[unit as usize]);
                (a / (a - b), unit)
            }));
        }
    }
    sort(&mut shares);
    shares
}

/// Puts breakpoints in order.
pub(super) fn sort(shares: &mut [(f64, u32)]) {
    shares.sort_by(|(a, unit), (b, other)| a.total_cmp(b).then(unit.cmp(other)));
}
