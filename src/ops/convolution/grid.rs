//! Images laid out so that every tap of a kernel reads them at one distance.
//!
//! The source of a convolution is its input, or for the input gradient the gradient of the output.
//! It is copied once, with zeros around it. With a stride s it is also split into s² planes, by row
//! and column modulo s. Then every result is a sum over the taps of the kernel, and each tap reads
//! the source at the position of the result plus a fixed distance. The gradient of a strided
//! convolution splits into s² such results, one for each remainder of the input's rows and columns,
//! each with some of the taps.
//!
//! If a row of the result does not fill whole vectors but its image does, a plane is copied once
//! for each distance along a row, so that the positions of an image lie without gaps.

use std::ops::Range;

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) struct Geometry {
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
    pub(super) fn forward(&self) -> Grid {
        let axis = |axis: usize| {
            let stride = self.stride as isize;
            let taps = (0..self.kernel[axis]).map(|index| {
                let first = (index * self.dilation) as isize - self.padding as isize;
                (
                    index,
                    first.rem_euclid(stride) as usize,
                    first.div_euclid(stride),
                )
            });
            Axis::new(
                taps.collect(),
                self.input[axis],
                self.stride,
                self.output[axis],
                0,
                1,
            )
        };
        Grid::new([axis(0), axis(1)], self.groups * self.inputs, self.inputs)
    }

    /// From the gradient of the output to that of the input: the grids of all remainders that have
    /// taps. Those of one size that follow one another have one layout.
    pub(super) fn backward(&self) -> Vec<Grid> {
        let axes = |axis: usize| {
            let axes = (0..self.stride.min(self.input[axis])).filter_map(|first| {
                let stride = self.stride as isize;
                let taps = (0..self.kernel[axis]).filter_map(|index| {
                    let distance =
                        (first + self.padding) as isize - (index * self.dilation) as isize;
                    (distance % stride == 0).then_some((index, 0, distance / stride))
                });
                let count = (self.input[axis] - first).div_ceil(self.stride);
                let taps: Vec<_> = taps.collect();
                (!taps.is_empty())
                    .then(|| Axis::new(taps, self.output[axis], 1, count, first, self.stride))
            });
            let mut axes: Vec<_> = axes.collect();
            axes.chunk_by_mut(|a, b| a.count == b.count)
                .for_each(Axis::agree);
            axes
        };
        let (rows, columns) = (axes(0), axes(1));
        let grid = |rows: &Axis, columns: &Axis| {
            Grid::new(
                [rows.clone(), columns.clone()],
                self.groups * self.outputs,
                self.outputs,
            )
        };
        let mut grids: Vec<_> = rows
            .iter()
            .flat_map(|rows| columns.iter().map(move |axis| grid(rows, axis)))
            .collect();
        for grids in grids.chunk_by_mut(|a, b| a.size() == b.size()) {
            let mut planes: Vec<_> = grids
                .iter()
                .flat_map(|grid| grid.planes.iter().copied())
                .collect();
            planes.sort_unstable();
            planes.dedup();
            grids
                .iter_mut()
                .for_each(|grid| grid.planes.clone_from(&planes));
        }
        grids
    }
}

/// Numbers of the largest vector.
const LANES: usize = 16;

/// A number of a kernel, in one direction.
#[derive(Clone, Debug)]
struct Tap {
    index: usize,
    /// Remainder of the plane that it reads, and distance there from a position.
    plane: usize,
    distance: usize,
}

/// One direction.
#[derive(Clone, Debug)]
struct Axis {
    taps: Vec<Tap>,
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
        let tap = |(index, plane, to)| Tap {
            index,
            plane,
            distance: (to + lead) as usize,
        };
        let taps: Vec<_> = taps.into_iter().map(tap).collect();
        let reach = taps.iter().map(|tap| tap.distance).max().unwrap_or(0);
        Self {
            taps,
            source,
            step,
            count,
            first,
            result_step,
            lead,
            reach,
        }
    }

    /// Gives all the same zeros before the first number and the same reach.
    fn agree(axes: &mut [Self]) {
        let lead = axes.iter().map(|axis| axis.lead).max().unwrap_or(0);
        for axis in axes.iter_mut() {
            axis.taps
                .iter_mut()
                .for_each(|tap| tap.distance += (lead - axis.lead) as usize);
            axis.reach += (lead - axis.lead) as usize;
            axis.lead = lead;
        }
        let reach = axes.iter().map(|axis| axis.reach).max().unwrap_or(0);
        axes.iter_mut().for_each(|axis| axis.reach = reach);
    }

    /// The positions on a plane that have a number, and where in the source the first of them is.
    fn inside(&self, plane: usize, positions: Range<usize>) -> (Range<usize>, usize) {
        let last = self.lead + self.source.saturating_sub(plane).div_ceil(self.step) as isize;
        let start = positions.start.max(self.lead.max(0) as usize);
        let end = positions.end.min(last.max(0) as usize).max(start);
        (
            start..end,
            (start as isize - self.lead) as usize * self.step + plane,
        )
    }
}

/// From a source to a result, channels of one group.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    axes: [Axis; 2],
    /// The channels of the source.
    all_channels: usize,
    /// The source's channels of one group.
    pub channels: usize,
    /// A plane is read at any distance along a row; else one is made for each.
    shared: bool,
    /// Remainder of rows and of columns, and distance along a row.
    planes: Vec<[usize; 3]>,
}

/// Where a laid source's numbers are.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    /// The steps from one image, channel and row to the next.
    pub image: usize,
    pub channel: usize,
    pub pitch: usize,
    /// Where in a channel each tap begins.
    pub taps: Vec<usize>,
}

impl Laid {
    /// Where each tap in each of `channels` channels begins.
    pub fn offsets(&self, channels: usize) -> Vec<usize> {
        (0..channels)
            .flat_map(|channel| {
                self.taps
                    .iter()
                    .map(move |tap| channel * self.channel + tap)
            })
            .collect()
    }
}

impl Grid {
    fn new(axes: [Axis; 2], all_channels: usize, channels: usize) -> Self {
        let [rows, columns] = [axes[0].count, axes[1].count];
        let shared = columns.is_multiple_of(LANES) || !(rows * columns).is_multiple_of(LANES);
        let mut grid = Self {
            axes,
            all_channels,
            channels,
            shared,
            planes: Vec::new(),
        };
        let mut planes: Vec<_> = grid.taps_with(|y, x| grid.plane_of(y, x)).collect();
        planes.sort_unstable();
        planes.dedup();
        grid.planes = planes;
        grid
    }

    /// The value of `of` for each tap, row by row.
    fn taps_with<T>(&self, of: impl Fn(&Tap, &Tap) -> T) -> impl Iterator<Item = T> {
        let [rows, columns] = &self.axes;
        rows.taps
            .iter()
            .flat_map(move |y| columns.taps.iter().map(move |x| (y, x)))
            .map(move |(y, x)| of(y, x))
    }

    fn plane_of(&self, y: &Tap, x: &Tap) -> [usize; 3] {
        [y.plane, x.plane, if self.shared { 0 } else { x.distance }]
    }

    /// Rows and columns of the result.
    pub fn size(&self) -> [usize; 2] {
        [self.axes[0].count, self.axes[1].count]
    }

    /// Rows and columns of the kernel that have a tap, in the order of [`Laid::taps`].
    pub fn kernel_taps(&self) -> Vec<[usize; 2]> {
        self.taps_with(|y, x| [y.index, x.index]).collect()
    }

    /// Whether the result's positions are all pixels of its image, in order.
    pub fn is_whole_result(&self) -> bool {
        self.axes.iter().all(|axis| axis.result_step == 1)
    }

    /// The layout of the source as it is, if that will do: no zeros and no stride.
    pub fn in_place(&self) -> Option<Laid> {
        let fits = |axis: &Axis| {
            axis.step == 1 && axis.lead == 0 && axis.count + axis.reach <= axis.source
        };
        let [rows, columns] = &self.axes;
        (fits(rows) && fits(columns)).then(|| {
            let (pitch, channel) = (columns.source, rows.source * columns.source);
            let taps = self
                .taps_with(|y, x| y.distance * pitch + x.distance)
                .collect();
            Laid {
                image: self.all_channels * channel,
                channel,
                pitch,
                taps,
            }
        })
    }

    /// The layout for `rows` rows of the result.
    pub fn laid(&self, rows: usize) -> Laid {
        let (pitch, plane) = self.plane(rows);
        let channel = self.planes.len() * plane;
        let taps = self.taps_with(|y, x| {
            let number = self
                .planes
                .iter()
                .position(|plane| *plane == self.plane_of(y, x))
                .unwrap_or(0);
            number * plane + y.distance * pitch + if self.shared { x.distance } else { 0 }
        });
        Laid {
            image: self.channels * channel,
            channel,
            pitch,
            taps: taps.collect(),
        }
    }

    fn plane(&self, rows: usize) -> (usize, usize) {
        let pitch = self.axes[1].count + if self.shared { self.axes[1].reach } else { 0 };
        (pitch, (rows + self.axes[0].reach) * pitch)
    }

    /// Lays one channel's image for the rows `rows` of the result on planes full of zeros.
    #[inline(always)]
    pub fn lay<T: Copy>(&self, image: &[T], rows: Range<usize>, planes: &mut [T]) {
        let [y_axis, x_axis] = &self.axes;
        let (pitch, size) = self.plane(rows.len());
        for (&[in_y, in_x, distance], plane) in self.planes.iter().zip(planes.chunks_mut(size)) {
            let (inside, first) = y_axis.inside(in_y, rows.start..rows.end + y_axis.reach);
            let (columns, left) = x_axis.inside(in_x, distance..distance + pitch);
            if columns.is_empty() || inside.is_empty() {
                continue;
            }
            let from = image[first * x_axis.source..].chunks(y_axis.step * x_axis.source);
            let to = plane[(inside.start - rows.start) * pitch..].chunks_mut(pitch);
            let columns = columns.start - distance..columns.end - distance;
            for (from, to) in from.zip(to).take(inside.len()) {
                copy(&from[left..], x_axis.step, &mut to[columns.clone()]);
            }
        }
    }

    /// Puts the rows `rows` of the results of `grids`, of one size, where they lie in one channel's
    /// image, `width` wide.
    #[inline(always)]
    pub fn put<T: Copy>(
        grids: &[Self],
        results: &[&[T]],
        rows: Range<usize>,
        width: usize,
        image: &mut [T],
    ) {
        let mut results = results.iter();
        for grids in grids.chunk_by(|a, b| a.axes[0].first == b.axes[0].first) {
            let results: Vec<_> = results.by_ref().take(grids.len()).collect();
            let [y_axis, x_axis] = &grids[0].axes;
            let count = x_axis.count;
            for row in rows.clone() {
                let to = &mut image[(y_axis.first + row * y_axis.result_step) * width..][..width];
                let from = (row - rows.start) * count..(row + 1 - rows.start) * count;
                if let (2, [even, odd]) = (x_axis.result_step, &results[..]) {
                    let pairs = even[from.clone()].iter().zip(&odd[from.clone()]);
                    to.as_chunks_mut::<2>()
                        .0
                        .iter_mut()
                        .zip(pairs)
                        .for_each(|(to, (even, odd))| *to = [*even, *odd]);
                    continue;
                }
                for (grid, result) in grids.iter().zip(&results) {
                    let to = to[grid.axes[1].first..]
                        .iter_mut()
                        .step_by(x_axis.result_step);
                    to.zip(&result[from.clone()])
                        .for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}

/// Every `step`-th number of `from`, as many as `to` has.
#[inline(always)]
fn copy<T: Copy>(from: &[T], step: usize, to: &mut [T]) {
    match step {
        1 => copy_row(&from[..to.len()], to),
        2 => {
            let (pairs, _) = from[..from.len().min(2 * to.len())].as_chunks::<2>();
            to.iter_mut()
                .zip(pairs)
                .for_each(|(to, pair)| *to = pair[0]);
            if let (Some(to), Some(from)) = (to.get_mut(pairs.len()), from.get(2 * pairs.len())) {
                *to = *from;
            }
        }
        _ => to
            .iter_mut()
            .zip(from.iter().step_by(step))
            .for_each(|(to, from)| *to = *from),
    }
}

/// Copies a row; a short one without a call, in pieces of one size, the last over the one before.
#[inline(always)]
fn copy_row<T: Copy>(from: &[T], to: &mut [T]) {
    #[inline(always)]
    fn pieces<T: Copy, const W: usize>(from: &[T], to: &mut [T]) {
        let (to_pieces, _) = to.as_chunks_mut::<W>();
        to_pieces
            .iter_mut()
            .zip(from.as_chunks::<W>().0)
            .for_each(|(to, from)| *to = *from);
        if let (Some(to), Some(from)) = (to.last_chunk_mut::<W>(), from.last_chunk::<W>()) {
            *to = *from;
        }
    }
    match to.len() {
        0..4 => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
        4..8 => pieces::<T, 4>(from, to),
        8..64 => pieces::<T, 8>(from, to),
        _ => to.copy_from_slice(from),
    }
}
