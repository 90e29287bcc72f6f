//! Images on padded grids, where every tap of a kernel is one contiguous row.
//!
//! Let an output grid have rows of `pitch` numbers, the output's own and a few that are dropped. Output (y, x) lies at
//! q = y·pitch + x. Stretch the padded input to rows of the same pitch, and the number that tap (i, j) of the kernel
//! takes for q lies at q + dilation·(i·pitch + j): at the same distance for all q. With a stride s the input is first
//! dealt out to s² grids by row and column modulo s; a tap then reads one of them, again at one distance.

use std::ops::Range;

/// Largest vector in numbers; rows are readable to a multiple of it.
const LANES: usize = 16;

/// What a convolution is given: sizes alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub images: usize,
    pub groups: usize,
    /// Channels of the input and of the output, of one group.
    pub inputs: usize,
    pub outputs: usize,
    /// Height and width of input, output and kernel.
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
}

impl Geometry {
    pub fn input_area(&self) -> usize {
        self.input[0] * self.input[1]
    }

    pub fn output_area(&self) -> usize {
        self.output[0] * self.output[1]
    }

    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// A product of matrices whose rows can be read in place.
    pub fn is_product(&self) -> bool {
        self.taps() == 1 && self.stride == 1 && self.padding == 0 && self.input_area().is_multiple_of(LANES)
    }
}

/// Some images, or some rows of one, on a grid.
pub(super) struct Grid {
    geometry: Geometry,
    images: usize,
    /// Of the output.
    rows: Range<usize>,
    pub pitch: usize,
    /// From one image to the next.
    plane: usize,
    /// Positions q, to the last one that counts.
    pub length: usize,
    /// From one channel of the output to the next.
    pub output_channel: usize,
    /// From one channel of the input to the next.
    pub input_channel: usize,
    phases: Vec<[usize; 2]>,
    phase_size: usize,
    /// Where in an input channel each tap begins.
    pub taps: Vec<usize>,
}

impl Grid {
    /// All rows of `images` images, or the output rows `rows` of one image.
    pub fn new(geometry: Geometry, images: usize, rows: Range<usize>) -> Self {
        let Geometry { input, output, kernel, stride, padding, dilation, .. } = geometry;
        let reach = kernel.map(|k| dilation * (k - 1) / stride);
        let (mut pitch, mut tall) = (output[1] + reach[1], rows.len() + reach[0]);
        if stride == 1 {
            // The zeros after a row are also the zeros before the next.
            pitch = pitch.min(input[1] + padding);
            if images > 1 {
                tall = tall.min(input[0] + padding);
            }
        }
        let plane = tall * pitch;
        let length = (images - 1) * plane + (rows.len() - 1) * pitch + output[1];
        let output_channel = length.next_multiple_of(LANES);

        let steps = |axis: usize| (0..kernel[axis]).map(move |i| (i * dilation / stride, i * dilation % stride));
        let mut phases: Vec<_> = steps(0).flat_map(|(_, y)| steps(1).map(move |(_, x)| [y, x])).collect();
        phases.sort_unstable();
        phases.dedup();
        // A part of the rows begins anywhere, and its last vector may reach beyond the last row.
        let phase_size = (output_channel + LANES + reach[0] * pitch + reach[1]).max(images * plane);
        let tap = |(y, in_y): (usize, usize), (x, in_x): (usize, usize)| {
            let phase = phases.iter().position(|phase| *phase == [in_y, in_x]).unwrap_or(0);
            phase * phase_size + y * pitch + x
        };
        let taps = steps(0).flat_map(|y| steps(1).map(move |x| tap(y, x))).collect();
        let input_channel = phases.len() * phase_size;
        Self { geometry, images, rows, pitch, plane, length, output_channel, input_channel, phases, phase_size, taps }
    }

    /// Where each of `channels` channels of the output begins.
    pub fn output_offsets(&self, channels: usize) -> Vec<usize> {
        (0..channels).map(|channel| channel * self.output_channel).collect()
    }

    /// Where each tap in each of `channels` channels of the input begins.
    pub fn tap_offsets(&self, channels: usize) -> Vec<usize> {
        (0..channels).flat_map(|channel| self.taps.iter().map(move |tap| channel * self.input_channel + tap)).collect()
    }

    /// For every input row that lies on the grid: image, where its first number lies in the channel's image, where on
    /// the grid, and how many there are, `stride` apart in the image.
    fn rows(&self) -> impl Iterator<Item = (usize, usize, usize, usize)> {
        let Geometry { input, kernel, stride, padding, dilation, .. } = self.geometry;
        let tall = self.rows.len() + dilation * (kernel[0] - 1) / stride;
        self.phases.iter().enumerate().flat_map(move |(phase, &[in_y, in_x])| {
            let columns = padding.saturating_sub(in_x).div_ceil(stride)
                ..(input[1] + padding).saturating_sub(in_x).div_ceil(stride).min(self.pitch);
            (0..self.images).flat_map(move |image| {
                let columns = columns.clone();
                (0..tall).filter_map(move |row| {
                    let y = ((self.rows.start + row) * stride + in_y).checked_sub(padding)?;
                    let inside = y < input[0] && !columns.is_empty();
                    inside.then(|| {
                        let from = y * input[1] + columns.start * stride + in_x - padding;
                        let to = phase * self.phase_size + image * self.plane + row * self.pitch + columns.start;
                        (image, from, to, columns.len())
                    })
                })
            })
        })
    }

    /// Lays `channel` of the input images `x` (images, C, H, W) on a grid full of zeros.
    pub fn lay_input<T: Copy>(&self, x: &[T], channel: usize, grid: &mut [T]) {
        let Geometry { stride, .. } = self.geometry;
        for (image, from, to, count) in self.rows() {
            let from = &x[self.input_image(image, channel) + from..];
            let to = &mut grid[to..][..count];
            if stride == 1 {
                to.copy_from_slice(&from[..count]);
            } else {
                to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, from)| *to = *from);
            }
        }
    }

    /// The reverse of [`Grid::lay_input`] for one image's channel; what lies on no grid is left as it is.
    pub fn take_input<T: Copy>(&self, grid: &[T], image: usize, x: &mut [T]) {
        let Geometry { stride, .. } = self.geometry;
        for (_, to, from, count) in self.rows().filter(|row| row.0 == image) {
            let from = &grid[from..][..count];
            if stride == 1 {
                x[to..][..count].copy_from_slice(from);
            } else {
                x[to..].iter_mut().step_by(stride).zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }

    fn input_image(&self, image: usize, channel: usize) -> usize {
        let Geometry { groups, inputs, .. } = self.geometry;
        (image * groups * inputs + channel) * self.geometry.input_area()
    }

    /// Lays `channel` of the output images `y` (images, O, H, W) on a grid full of zeros.
    pub fn lay_output<T: Copy>(&self, y: &[T], channel: usize, grid: &mut [T]) {
        let Geometry { groups, outputs, output, .. } = self.geometry;
        for image in 0..self.images {
            let image_start = (image * groups * outputs + channel) * self.geometry.output_area();
            for (row, y_row) in self.rows.clone().enumerate() {
                grid[image * self.plane + row * self.pitch..][..output[1]]
                    .copy_from_slice(&y[image_start + y_row * output[1]..][..output[1]]);
            }
        }
    }

    /// Each row of the output: on the grid of `image`'s channel, and in the channel's image.
    pub fn output_rows(&self, image: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let width = self.geometry.output[1];
        self.rows.clone().enumerate().map(move |(row, y)| {
            let start = image * self.plane + row * self.pitch;
            (start..start + width, y * width..(y + 1) * width)
        })
    }
}
