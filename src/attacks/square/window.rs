//! The windows of the Square attack: how large they are, and what an L2 attack writes into them.

/// The height and width of an image, and its channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Grid {
    /// The pixels of one channel.
    pub fn plane(self) -> usize {
        self.height * self.width
    }

    /// The largest window.
    pub fn shorter(self) -> usize {
        self.height.min(self.width)
    }

    /// The pixels of each line of a window: where they begin among those of one channel.
    pub fn lines(self, window: Window) -> impl Iterator<Item = std::ops::Range<usize>> {
        (window.top..window.top + window.side).map(move |line| {
            let first = line * self.width + window.left;
            first..first + window.side
        })
    }
}

/// A square part of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Window {
    pub top: usize,
    pub left: usize,
    pub side: usize,
}

/// The share of an image that the window of query `query` covers, of `queries` in all.
///
/// The schedule is that of 10,000 queries: it halves after 10, 50, 200, 500, 1000, 2000, 4000, 6000
/// and 8000.
pub(super) fn share(p_init: f64, query: usize, queries: usize) -> f64 {
    const HALVED_AFTER: [usize; 9] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];
    let of_all = (query as f64 / queries as f64 * 10_000.) as usize;
    let halvings = HALVED_AFTER.iter().filter(|after| of_all > **after).count();
    p_init / f64::from(1 << halvings)
}

/// The side of a window that covers about `share` of a plane: at least 1 in L∞; at least 3 and odd
/// in L2, where it has a middle; never more than the image is wide and high.
pub(super) fn side(grid: Grid, share: f64, in_l2: bool) -> usize {
    let side = (share * grid.plane() as f64).sqrt().round_ties_even() as usize;
    let side = match in_l2 {
        true => side.max(3) | 1,
        false => side.max(1),
    };
    side.min(grid.shorter())
}

/// What an L2 attack adds to a window: a positive hill in its upper half, a negative one below, each
/// steepest in the middle; of length 1.
///
/// The lines of a square of `side`.
pub(super) fn hills(side: usize) -> Vec<f64> {
    let upper = side / 2;
    let mut all = hill(upper, side);
    all.extend(hill(side - upper, side).iter().map(|value| -value));
    normalised(all)
}

/// Rectangles around the middle, of growing size and falling height: 1 + 1/2² + 1/3² + … where the
/// smallest lies; of length 1.
fn hill(height: usize, width: usize) -> Vec<f64> {
    let mut hill = vec![0.; height * width];
    let (line, column) = (height / 2, width / 2);
    for reach in 0..=line.max(column) {
        let lines = line.saturating_sub(reach)..(line + reach + 1).min(height);
        let columns = column.saturating_sub(reach)..(column + reach + 1).min(width);
        for at in lines {
            for value in &mut hill[at * width..][columns.clone()] {
                *value += 1. / ((reach + 1) * (reach + 1)) as f64;
            }
        }
    }
    normalised(hill)
}

fn normalised(mut values: Vec<f64>) -> Vec<f64> {
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length > 0. {
        values.iter_mut().for_each(|value| *value /= length);
    }
    values
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    /// Made by `tests/fixtures/square.py` with torchattacks 3.5.1.
    #[derive(Deserialize)]
    struct Fixture {
        windows: BTreeMap<usize, Vec<f64>>,
        schedules: Vec<Schedule>,
    }

    #[derive(Deserialize)]
    struct Schedule {
        queries: usize,
        at: Vec<usize>,
        share: Vec<f64>,
    }

    fn fixture() -> Fixture {
        let text = include_str!("../../../tests/fixtures/square.json");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn hills_are_torchattacks() {
        let windows = fixture().windows;
        assert_eq!(windows.len(), 6);
        for (side, expected) in windows {
            let own = hills(side);
            assert_eq!(own.len(), expected.len());
            assert!(
                own.iter()
                    .zip(expected)
                    .all(|(own, expected)| (own - expected).abs() < 1e-15)
            );
        }
    }

    #[test]
    fn the_schedule_is_torchattacks() {
        for Schedule {
            queries,
            at,
            share: expected,
        } in fixture().schedules
        {
            for (at, expected) in at.into_iter().zip(expected) {
                assert_eq!(share(0.8, at, queries), expected, "{at} of {queries}");
            }
        }
    }

    #[test]
    fn no_window_is_larger_than_its_image() {
        for (height, width) in [(1, 1), (1, 9), (2, 2), (4, 7), (28, 28), (5, 3)] {
            let grid = Grid {
                channels: 1,
                height,
                width,
            };
            for (share, in_l2) in [
                (1., true),
                (1., false),
                (0.8, true),
                (1e-3, true),
                (1e-3, false),
            ] {
                let side = side(grid, share, in_l2);
                assert!((1..=height.min(width)).contains(&side));
                assert!(
                    (hills(side).iter().map(|hill| hill * hill).sum::<f64>() - 1.).abs() < 1e-12
                );
            }
        }
        let mnist = Grid {
            channels: 1,
            height: 28,
            width: 28,
        };
        assert_eq!(
            [side(mnist, 0.8, false), side(mnist, 0.8 / 512., false)],
            [25, 1]
        );
        assert_eq!(
            [side(mnist, 0.05, true), side(mnist, 0.8 / 512., true)],
            [7, 3]
        );
    }
}
