//! Images laid out so that every tap of a kernel reads them at one distance.
//!
//! A result of a convolution, and likewise of its input gradient, takes from the source (the input, or the gradient of the
//! output) the numbers at position + distance of the tap, once the source lies with zeros around it and, under a stride s,
//! dealt out to s² planes by row and column modulo s. The gradient of a strided convolution falls into s² such results,
//! one for the input's rows and columns of each remainder, each with some of the taps.

use std::ops::Range;

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

    /// From the input to the output.
    pub fn forward(&self) -> Grid {
        let axis = |axis: usize| {
            let stride = self.stride as isize;
            let taps = (0..self.kernel[axis]).map(|index| {
                let first = (index * self.dilation) as isize - self.padding as isize;
                (index, first.rem_euclid(stride) as usize, first.div_euclid(stride))
            });
            Axis::new(taps.collect(), self.input[axis], self.stride, self.output[axis], 0, 1)
        };
        Grid::new([axis(0), axis(1)], self.groups * self.inputs, self.inputs)
    }

    /// From the gradient of the output to that of the input: the grids of all remainders that have taps.
    pub fn backward(&self) -> Vec<Grid> {
        let axes = |axis: usize| {
            (0..self.stride.min(self.input[axis])).filter_map(move |first| {
                let stride = self.stride as isize;
                let taps = (0..self.kernel[axis]).filter_map(|index| {
                    let distance = (first + self.padding) as isize - (index * self.dilation) as isize;
                    (distance % stride == 0).then_some((index, 0, distance / stride))
                });
                let count = (self.input[axis] - first).div_ceil(self.stride);
                let taps: Vec<_> = taps.collect();
                (!taps.is_empty()).then(|| Axis::new(taps, self.output[axis], 1, count, first, self.stride))
            })
        };
        let grid = |rows: &Axis, columns| Grid::new([rows.clone(), columns], self.groups * self.outputs, self.outputs);
        let rows: Vec<_> = axes(0).collect();
        rows.iter().flat_map(|rows| axes(1).map(move |columns| grid(rows, columns))).collect()
    }
}

/// One direction.
#[derive(Clone, Debug)]
struct Axis {
    /// Index in the kernel, remainder of the plane it reads, distance there from a position.
    taps: Vec<(usize, usize, usize)>,
    /// Size of the source, and what its planes' positions are apart in it.
    source: usize,
    step: usize,
    /// Positions of the result; where in its image the first lies, and how far they are apart.
    count: usize,
    first: usize,
    result_step: usize,
    /// Zeros before the source's first number on a plane; below 0 what is left out.
    lead: isize,
    /// Largest distance of a tap.
    reach: usize,
}

impl Axis {
    fn new(
        taps: Vec<(usize, usize, isize)>,
        source: usize,
        step: usize,
        count: usize,
        first: usize,
        result_step: usize,
    ) -> Self {
        let lead = -taps.iter().map(|tap| tap.2).min().unwrap_or(0);
        let taps: Vec<_> = taps.into_iter().map(|(index, plane, to)| (index, plane, (to + lead) as usize)).collect();
        let reach = taps.iter().map(|tap| tap.2).max().unwrap_or(0);
        Self { taps, source, step, count, first, result_step, lead, reach }
    }

    /// The positions on a plane that have a number, and where in the source the first of them is.
    fn inside(&self, plane: usize, positions: Range<usize>) -> (Range<usize>, usize) {
        let last = self.lead + self.source.saturating_sub(plane).div_ceil(self.step) as isize;
        let start = positions.start.max(self.lead.max(0) as usize);
        let end = positions.end.min(last.max(0) as usize).max(start);
        (start..end, (start as isize - self.lead) as usize * self.step + plane)
    }
}

/// From a source to a result, channels of one group.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    axes: [Axis; 2],
    /// Of the source: all, and those of one group.
    all_channels: usize,
    pub channels: usize,
    planes: Vec<[usize; 2]>,
}

/// Where a laid source's numbers are.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    /// From one image, channel or row to the next.
    pub image: usize,
    pub channel: usize,
    pub pitch: usize,
    /// Where in a channel each tap begins.
    pub taps: Vec<usize>,
}

impl Laid {
    /// Where each tap in each of `channels` channels begins.
    pub fn offsets(&self, channels: usize) -> Vec<usize> {
        (0..channels).flat_map(|channel| self.taps.iter().map(move |tap| channel * self.channel + tap)).collect()
    }
}

impl Grid {
    fn new(axes: [Axis; 2], all_channels: usize, channels: usize) -> Self {
        let mut planes: Vec<_> =
            axes[0].taps.iter().flat_map(|y| axes[1].taps.iter().map(move |x| [y.1, x.1])).collect();
        planes.sort_unstable();
        planes.dedup();
        Self { axes, all_channels, channels, planes }
    }

    /// Rows and columns of the result.
    pub fn size(&self) -> [usize; 2] {
        [self.axes[0].count, self.axes[1].count]
    }

    /// Rows and columns of the kernel that have a tap, in the order of [`Laid::taps`].
    pub fn kernel_taps(&self) -> Vec<[usize; 2]> {
        self.axes[0].taps.iter().flat_map(|y| self.axes[1].taps.iter().map(move |x| [y.0, x.0])).collect()
    }

    /// Whether the result's positions are all pixels of its image, in order.
    pub fn is_whole_result(&self) -> bool {
        self.axes.iter().all(|axis| axis.result_step == 1)
    }

    /// The layout of the source as it is, if that will do: no zeros and no stride.
    pub fn in_place(&self) -> Option<Laid> {
        let fits = |axis: &Axis| axis.step == 1 && axis.lead == 0 && axis.count + axis.reach <= axis.source;
        let [rows, columns] = &self.axes;
        (fits(rows) && fits(columns)).then(|| {
            let (pitch, channel) = (columns.source, rows.source * columns.source);
            Laid { image: self.all_channels * channel, channel, pitch, taps: self.taps(pitch, 0) }
        })
    }

    /// The layout for `rows` rows of the result.
    pub fn laid(&self, rows: usize) -> Laid {
        let (pitch, plane) = self.plane(rows);
        let channel = self.planes.len() * plane;
        Laid { image: self.channels * channel, channel, pitch, taps: self.taps(pitch, plane) }
    }

    fn plane(&self, rows: usize) -> (usize, usize) {
        let pitch = self.axes[1].count + self.axes[1].reach;
        (pitch, (rows + self.axes[0].reach) * pitch)
    }

    fn taps(&self, pitch: usize, plane: usize) -> Vec<usize> {
        let [rows, columns] = &self.axes;
        let tap = |y: &(usize, usize, usize), x: &(usize, usize, usize)| {
            let number = self.planes.iter().position(|plane| *plane == [y.1, x.1]).unwrap_or(0);
            number * plane + y.2 * pitch + x.2
        };
        rows.taps.iter().flat_map(|y| columns.taps.iter().map(move |x| tap(y, x))).collect()
    }

    /// Lays one channel's image for the rows `rows` of the result on planes full of zeros.
    pub fn lay<T: Copy>(&self, image: &[T], rows: Range<usize>, planes: &mut [T]) {
        let [y_axis, x_axis] = &self.axes;
        let (pitch, size) = self.plane(rows.len());
        for (&[in_y, in_x], plane) in self.planes.iter().zip(planes.chunks_mut(size)) {
            let (inside, first) = y_axis.inside(in_y, rows.start..rows.end + y_axis.reach);
            let (columns, left) = x_axis.inside(in_x, 0..pitch);
            if columns.is_empty() {
                continue;
            }
            for (number, row) in inside.enumerate() {
                let from = &image[(first + number * y_axis.step) * x_axis.source + left..];
                let to = &mut plane[(row - rows.start) * pitch..][columns.clone()];
                if x_axis.step == 1 {
                    to.copy_from_slice(&from[..to.len()]);
                } else {
                    to.iter_mut().zip(from.iter().step_by(x_axis.step)).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }

    /// Puts the rows `rows` of the result where they lie in one channel's image, `width` wide.
    pub fn put<T: Copy>(&self, result: &[T], rows: Range<usize>, width: usize, image: &mut [T]) {
        let [y_axis, x_axis] = &self.axes;
        for (row, result) in rows.zip(result.chunks(x_axis.count)) {
            let to = &mut image[(y_axis.first + row * y_axis.result_step) * width + x_axis.first..];
            to.iter_mut().step_by(x_axis.result_step).zip(result).for_each(|(to, from)| *to = *from);
        }
    }
}
