//! What a convolution reads, tile by tile.
//!
//! A tile is a few pixels of the result. For each tap of the kernel that at least one of them has
//! inside the image, a step says where each reads the source; a pixel whose tap lies outside reads
//! the zeros before its image.

use super::geometry::Geometry;
use super::pixels::Pixels;

/// From the input to the output, or from the gradient of the output to that of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Direction {
    Forward,
    Backward,
}

/// The steps of all tiles of some images that lie one after another.
#[derive(Debug)]
pub(super) struct Steps {
    /// Pixels of a tile.
    pub height: usize,
    /// The tap of each step.
    pub taps: Vec<u32>,
    /// Where its pixels read, `height` a step.
    pub sources: Vec<u32>,
    /// Where the steps of each tile begin, and of the last end.
    pub starts: Vec<u32>,
    /// Where the pixels of each tile are written.
    pub results: Vec<u32>,
    /// Whether the kernel has one tap, which every tile reads.
    pub single: bool,
}

impl Steps {
    pub fn tiles(&self) -> usize {
        self.starts.len() - 1
    }

    /// Steps for `images` images. Pixels of one place in all images come one after another, so that
    /// they have the same taps inside.
    pub fn new(
        shape: &Geometry,
        direction: Direction,
        (source, result): (Pixels, Pixels),
        images: usize,
        height: usize,
    ) -> Self {
        let size = match direction {
            Direction::Forward => shape.output,
            Direction::Backward => shape.input,
        };
        // Which row, or column, of the source a tap reads; none outside.
        let axis = |axis: usize| -> Vec<Vec<Option<usize>>> {
            let tap = |tap| {
                let of = |at| match direction {
                    Direction::Forward => shape.input_of(axis, at, tap),
                    Direction::Backward => shape.output_of(axis, at, tap),
                };
                (0..size[axis]).map(of).collect()
            };
            (0..shape.kernel[axis]).map(tap).collect()
        };
        let (rows, columns) = (axis(0), axis(1));
        let width = match direction {
            Direction::Forward => shape.input[1],
            Direction::Backward => shape.output[1],
        };
        // Pixels of one remainder by the stride have the same taps.
        let stride = match direction {
            Direction::Forward => [1; 2],
            Direction::Backward => shape.stride,
        };
        let order = |axis: usize| {
            let (stride, count) = (stride[axis], size[axis]);
            (0..stride.min(count)).map(move |first| (first..count).step_by(stride))
        };
        let places: Vec<[usize; 2]> = order(0)
            .flat_map(|rows| {
                order(1).flat_map(move |columns| {
                    rows.clone()
                        .flat_map(move |row| columns.clone().map(move |column| [row, column]))
                })
            })
            .flat_map(|place| std::iter::repeat_n(place, images))
            .collect();
        let tiles = places.len().div_ceil(height);
        let mut steps = Self {
            height,
            taps: Vec::with_capacity(tiles * shape.taps()),
            sources: Vec::with_capacity(tiles * shape.taps() * height),
            starts: vec![0],
            results: Vec::with_capacity(tiles * height),
            single: false,
        };
        let mut step = vec![0; height];
        for (tile, places) in places.chunks(height).enumerate() {
            let image = |at: usize| (tile * height + at) % images;
            // A last tile repeats its last pixel.
            let last = places.len() - 1;
            for at in (0..height).map(|at| at.min(last)) {
                let [row, column] = places[at];
                let place = image(at) * result.image() + result.start(row * size[1] + column);
                steps.results.push(place as u32);
            }
            for (y, rows) in rows.iter().enumerate() {
                for (x, columns) in columns.iter().enumerate() {
                    let mut some = false;
                    for (at, step) in step.iter_mut().enumerate() {
                        let at = at.min(last);
                        let [row, column] = places[at];
                        let inside = rows[row].zip(columns[column]);
                        some |= inside.is_some();
                        let inside = inside.map_or(0, |(y, x)| source.start(y * width + x));
                        *step = (image(at) * source.image() + inside) as u32;
                    }
                    if some {
                        steps.taps.push((y * shape.kernel[1] + x) as u32);
                        steps.sources.extend_from_slice(&step);
                    }
                }
            }
            steps.starts.push(steps.taps.len() as u32);
        }
        steps.single = shape.taps() == 1 && steps.taps.len() == tiles;
        steps
    }
}
