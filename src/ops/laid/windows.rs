//! Functions of the pixels that are the same for every channel: weighted sums, and the largest of
//! some.

use super::Pixels;
use crate::error::{Error, Result};

/// The pixels of the input that each pixel of the result reads.
pub(crate) struct Windows {
    taps: Vec<Vec<usize>>,
    output: [usize; 2],
}

impl Windows {
    /// Squares of `kernel` pixels, `stride` apart, of images of `size` = (H, W) with `padding` pixels
    /// around, which are not read.
    ///
    /// # Errors
    /// A kernel or stride of 0, padding over half the kernel, a kernel larger than the padded image.
    pub fn new(size: [usize; 2], kernel: usize, stride: usize, padding: usize) -> Result<Self> {
        let room = |size: usize| (size + 2 * padding).checked_sub(kernel);
        let (Some(rows), Some(columns)) = (room(size[0]), room(size[1])) else {
            let expected = format!("at most the padded image, {size:?} and {padding} on each side");
            return Err(Error::argument("kernel", expected, kernel));
        };
        if kernel == 0 || stride == 0 || padding > kernel / 2 {
            let got = format!("{kernel}, {stride} and {padding}");
            let expected = "kernel and stride at least 1, padding at most half the kernel";
            return Err(Error::argument("kernel, stride and padding", expected, got));
        }
        let output = [rows / stride + 1, columns / stride + 1];
        let along = |at: usize, size: usize| {
            let first = at * stride;
            first.saturating_sub(padding)..(first + kernel - padding).min(size)
        };
        let window = |row: usize, column: usize| {
            along(row, size[0])
                .flat_map(|row| along(column, size[1]).map(move |column| row * size[1] + column))
                .collect()
        };
        let taps = (0..output[0])
            .flat_map(|row| (0..output[1]).map(move |column| (row, column)))
            .map(|(row, column)| window(row, column))
            .collect();
        Ok(Self { taps, output })
    }

    /// Height and width of the result.
    pub fn output(&self) -> [usize; 2] {
        self.output
    }

    /// The largest number of each window: images of `from` to images of as many channels.
    pub fn largest(&self, from: Pixels, image: &[f64], result: &mut [f64]) {
        let pitch = from.pitch();
        for (pixel, taps) in self.taps.iter().enumerate() {
            let result = &mut result[(pixel + 1) * pitch..][..pitch];
            result.fill(f64::NEG_INFINITY);
            for tap in taps {
                for (result, number) in result.iter_mut().zip(&image[from.start(*tap)..]) {
                    *result = if *number > *result { *number } else { *result };
                }
            }
        }
    }

    /// Adds to `shares` where the largest number of a window changes between two images: the share of
    /// the way and the place in the result.
    pub fn changes(&self, from: Pixels, [a, b]: [&[f64]; 2], shares: &mut Vec<(f64, u32)>) {
        let pitch = from.pitch();
        let mut lines = Vec::new();
        for (pixel, taps) in self.taps.iter().enumerate() {
            for channel in 0..from.channels {
                lines.clear();
                let at = |tap: &usize| from.start(*tap) + channel;
                lines.extend(taps.iter().map(|tap| [a[at(tap)], b[at(tap)]]));
                let place = ((pixel + 1) * pitch + channel) as u32;
                envelope(&lines, |share| shares.push((share, place)));
            }
        }
    }
}

/// Gives to `found` the shares, from 0 to 1 and in order, where the largest of linear functions
/// changes; each has its values at 0 and at 1.
fn envelope(lines: &[[f64; 2]], mut found: impl FnMut(f64)) {
    let larger = |best: [f64; 2], line: &[f64; 2]| {
        let above = line[0] > best[0] || (line[0] == best[0] && line[1] > best[1]);
        if above { *line } else { best }
    };
    let mut largest = lines.iter().fold([f64::NEG_INFINITY; 2], larger);
    loop {
        // Those that end higher cross the largest one, the first of them next.
        let mut next: Option<(f64, [f64; 2])> = None;
        for line in lines.iter().filter(|line| line[1] > largest[1]) {
            let (behind, ahead) = (largest[0] - line[0], line[1] - largest[1]);
            let share = behind / (behind + ahead);
            let sooner = next.is_none_or(|(soonest, best)| {
                share < soonest || (share == soonest && line[1] > best[1])
            });
            if sooner {
                next = Some((share, *line));
            }
        }
        let Some((share, line)) = next else { return };
        found(share);
        largest = line;
    }
}

/// Weighted sums of pixels.
pub(crate) struct Means {
    /// For each pixel of the result, pixels of the input with their weights.
    taps: Vec<Vec<(usize, f64)>>,
}

impl Means {
    /// The mean of each window.
    pub fn of(windows: &Windows) -> Self {
        let mean = |taps: &Vec<usize>| {
            let weight = 1. / taps.len() as f64;
            taps.iter().map(|tap| (*tap, weight)).collect()
        };
        Self {
            taps: windows.taps.iter().map(mean).collect(),
        }
    }

    /// The mean of all pixels.
    pub fn of_all(area: usize) -> Self {
        Self {
            taps: vec![(0..area).map(|pixel| (pixel, 1. / area as f64)).collect()],
        }
    }

    /// Images of `size` = (H, W) enlarged bilinearly to `side`×`side`, as PyTorch's `interpolate` does
    /// without aligned corners.
    pub fn enlarging(size: [usize; 2], side: usize) -> Self {
        let along = |at: usize, size: usize| {
            let place = ((at as f64 + 0.5) * size as f64 / side as f64 - 0.5).max(0.);
            let first = (place as usize).min(size - 1);
            let share = place - first as f64;
            [(first, 1. - share), ((first + 1).min(size - 1), share)]
        };
        let pixel = |row: usize, column: usize| {
            let columns = along(column, size[1]);
            along(row, size[0])
                .into_iter()
                .flat_map(|(row, own)| {
                    columns.map(|(column, other)| (row * size[1] + column, own * other))
                })
                .filter(|(_, weight)| *weight > 0.)
                .collect()
        };
        let taps = (0..side)
            .flat_map(|row| (0..side).map(move |column| (row, column)))
            .map(|(row, column)| pixel(row, column))
            .collect();
        Self { taps }
    }

    /// The sums of an image of `from`: an image of as many channels.
    pub fn run(&self, from: Pixels, image: &[f64], result: &mut [f64]) {
        let pitch = from.pitch();
        for (pixel, taps) in self.taps.iter().enumerate() {
            let result = &mut result[(pixel + 1) * pitch..][..pitch];
            result.fill(0.);
            for (tap, weight) in taps {
                for (result, number) in result.iter_mut().zip(&image[from.start(*tap)..]) {
                    *result += weight * number;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// max(1, 4 s, 6 s − 1) on [0, 1]: 4 s overtakes at 1/4, 6 s − 1 at 1/2; two others never do.
    #[test]
    fn the_upper_envelope_changes_where_its_lines_cross() {
        let lines = [[-1., 5.], [0., 4.], [1., 1.], [0.5, 1.], [-2., 4.9]];
        let mut found = Vec::new();
        envelope(&lines, |share| found.push(share));
        assert_eq!(found, [0.25, 0.5]);
        let mut none = Vec::new();
        envelope(&[[1., 1.], [1., 3.], [0., 3.]], |share| none.push(share));
        assert_eq!(none, [0.; 0]);
    }
}
