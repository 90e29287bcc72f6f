//! The largest number of every window of a plane, and where it was.

use std::sync::OnceLock;

use candle_core::{Result, Shape, Tensor, ToUsize2};
use rayon::prelude::*;

use crate::error::Error;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{is_fused, widened};
use crate::ops::operation::Operation;
use crate::ops::planes::planes_per_task;
use crate::ops::simd::{self, Float, vectorised};

/// The largest number of each window of an image's channels; differentiable.
///
/// ```text
/// y[n, c, i, j] = max_{a, b} x[n, c, i·stride + a − padding, j·stride + b − padding]
/// ```
///
/// a and b run over the rows and columns of the kernel. `kernel`, `stride` and `padding` are one
/// number or (rows, columns); padding counts as −∞. The gradient goes to the first largest number
/// of the window, row by row. A NaN is larger than all numbers; of several the last one counts. All
/// that is as in PyTorch's `max_pool2d`. On a CPU in f32 or f64 the fused operation, elsewhere
/// [`max_pool2d_composite`].
///
/// - **Shapes**: `x` (N, C, H, W); the result is (N, C, H', W') with
///   H' = ⌊(H + 2·padding − kernel) / stride⌋ + 1, W' likewise. N may be 0.
/// - **Range**: numbers of `x`. `kernel` is from 1 to 65,536, `stride` ≥ 1, `padding` at most half
///   the kernel.
/// - **Source**: the definition, as PyTorch's `max_pool2d`.
///
/// # Errors
/// Another rank; C, H or W of 0; a kernel of 0 or over 65,536; a stride of 0; padding over half the
/// kernel; a kernel larger than the padded plane.
pub fn max_pool2d(
    x: &Tensor,
    kernel: impl ToUsize2,
    stride: impl ToUsize2,
    padding: impl ToUsize2,
) -> crate::Result<Tensor> {
    let windows = Windows::new(
        x,
        kernel.to_usize2(),
        stride.to_usize2(),
        padding.to_usize2(),
    )?;
    // Positions in a plane are kept in 32 bits.
    let fits = u32::try_from(windows.rows.size.saturating_mul(windows.columns.size)).is_ok();
    if fits && is_fused(x) {
        let op = MaxPool {
            windows,
            keep: x.track_op(),
            positions: OnceLock::new(),
        };
        Ok([x].apply(op)?)
    } else {
        windows.composite(x)
    }
}

/// The function [`max_pool2d`] in plain candle operations, for every device.
///
/// Differentiable for every kernel and stride, which candle's own is not. Ties, and NaN, are
/// settled as in [`max_pool2d`], with one exception: where all of a window is −∞ and it reaches
/// into the padding, the gradient goes there and is lost.
///
/// # Errors
/// As [`max_pool2d`].
pub fn max_pool2d_composite(
    x: &Tensor,
    kernel: impl ToUsize2,
    stride: impl ToUsize2,
    padding: impl ToUsize2,
) -> crate::Result<Tensor> {
    Windows::new(
        x,
        kernel.to_usize2(),
        stride.to_usize2(),
        padding.to_usize2(),
    )?
    .composite(x)
}

/// Padding, half the kernel, takes memory.
const LARGEST_KERNEL: usize = 1 << 16;

/// The windows along one dimension.
#[derive(Clone, Copy)]
struct Axis {
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    /// How many windows there are.
    outputs: usize,
}

impl Axis {
    /// The windows that hold the input number `at`.
    fn windows(&self, at: usize) -> std::ops::Range<usize> {
        let padded = at + self.padding;
        let first = (padded + 1)
            .saturating_sub(self.kernel)
            .div_ceil(self.stride);
        first..(padded / self.stride + 1).min(self.outputs)
    }

    /// The first input number that the window holds.
    fn first(&self, window: usize) -> usize {
        (window * self.stride).saturating_sub(self.padding)
    }

    /// The maxima along `dim` of `x`, in plain candle operations.
    fn composite(&self, x: &Tensor, dim: usize) -> Result<Tensor> {
        // With `stride` − 1 numbers more, each of the kernel's positions is the first column of a
        // matrix with a row of `stride` numbers for each window.
        let side = |size: usize| {
            let mut dims = x.dims().to_vec();
            dims[dim] = size;
            Tensor::full(f64::NEG_INFINITY, dims, x.device())?.to_dtype(x.dtype())
        };
        let (before, after) = (self.padding, self.padding + self.stride - 1);
        let mut padded = x.clone();
        if before > 0 {
            padded = Tensor::cat(&[&side(before)?, &padded], dim)?;
        }
        if after > 0 {
            padded = Tensor::cat(&[&padded, &side(after)?], dim)?;
        }
        let mut rows = x.dims().to_vec();
        rows[dim] = self.outputs;
        rows.insert(dim + 1, self.stride);
        let at = |position: usize| {
            let span = padded.narrow(dim, position, self.outputs * self.stride)?;
            span.reshape(rows.as_slice())?
                .narrow(dim + 1, 0, 1)?
                .squeeze(dim + 1)
        };
        let mut best = at(0)?;
        for position in 1..self.kernel {
            let next = at(position)?;
            // Not `maximum`, which halves the gradient of equal numbers. x ≠ x for NaN alone.
            let take = (next.gt(&best)? + next.ne(&next)?)?;
            best = take.where_cond(&next, &best)?;
        }
        Ok(best)
    }
}

#[derive(Clone, Copy)]
struct Windows {
    rows: Axis,
    columns: Axis,
}

impl Windows {
    fn new(
        x: &Tensor,
        kernel: (usize, usize),
        stride: (usize, usize),
        padding: (usize, usize),
    ) -> crate::Result<Self> {
        let (height, width) = match *x.dims() {
            [_, channels, height, width] if channels * height * width > 0 => (height, width),
            _ => {
                return Err(Error::shape(
                    "max_pool2d",
                    "x",
                    "(N, C, H, W) with C, H, W at least 1",
                    x.dims(),
                ));
            }
        };
        let wrong = |name: &'static str, expected: String, got: (usize, usize)| {
            Err(Error::argument(name, expected, format!("{got:?}")))
        };
        if [kernel.0, kernel.1]
            .iter()
            .any(|size| !(1..=LARGEST_KERNEL).contains(size))
        {
            return wrong(
                "kernel",
                format!("1 to {LARGEST_KERNEL} rows and columns"),
                kernel,
            );
        }
        if stride.0 == 0 || stride.1 == 0 {
            return wrong("stride", "at least 1 row and 1 column".into(), stride);
        }
        let half = (kernel.0 / 2, kernel.1 / 2);
        if padding.0 > half.0 || padding.1 > half.1 {
            return wrong(
                "padding",
                format!("at most {half:?}, half the kernel {kernel:?}"),
                padding,
            );
        }
        let padded = (height + 2 * padding.0, width + 2 * padding.1);
        if kernel.0 > padded.0 || kernel.1 > padded.1 {
            let expected = format!(
                "at most {padded:?}, the plane {height} × {width} with padding {padding:?}"
            );
            return wrong("kernel", expected, kernel);
        }
        let axis = |size, padded: usize, kernel, stride, padding| {
            let outputs = (padded - kernel) / stride + 1;
            // The stride of a single window does not matter, and could be far larger than the
            // plane.
            Axis {
                size,
                kernel,
                stride: if outputs == 1 { 1 } else { stride },
                padding,
                outputs,
            }
        };
        Ok(Self {
            rows: axis(height, padded.0, kernel.0, stride.0, padding.0),
            columns: axis(width, padded.1, kernel.1, stride.1, padding.1),
        })
    }

    /// Columns first: the first of the largest in a row, then the first of the rows, is the first
    /// of the window.
    fn composite(&self, x: &Tensor) -> crate::Result<Tensor> {
        if x.elem_count() == 0 {
            // candle slices past the end of nothing.
            return Ok(x.reshape((0, x.dim(1)?, self.rows.outputs, self.columns.outputs))?);
        }
        let wide = widened("x", x)?;
        let rows = self.columns.composite(&wide, 3)?;
        Ok(self.rows.composite(&rows, 2)?.to_dtype(x.dtype())?)
    }
}

struct MaxPool {
    windows: Windows,
    /// Whether there will be a gradient.
    keep: bool,
    /// The position in its plane of every number of the result.
    positions: OnceLock<Vec<u32>>,
}

impl Kernel<1> for MaxPool {
    fn operation(&self) -> Operation {
        Operation::MaxPool2d
    }

    fn forward<T: Float>(&self, [x]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (n, c, _, _) = x.layout.shape().dims4()?;
        let Windows { rows, columns } = self.windows;
        let shape = Shape::from((n, c, rows.outputs, columns.outputs));
        Ok((self.run(x.numbers, n * c)?, shape))
    }

    fn backward(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let (Some(positions), true) = (self.positions.get(), x.track_op()) else {
            return Ok([None]);
        };
        let scatter = Scatter {
            positions,
            windows: self.windows,
        };
        Ok([Some([g].apply_detached(scatter)?)])
    }
}

impl MaxPool {
    fn run<T: Float>(&self, x: &[T], planes: usize) -> Result<Vec<T>> {
        let arch = simd::arch()?;
        let Windows { rows, columns } = self.windows;
        let (plane, outputs) = (rows.size * columns.size, rows.outputs * columns.outputs);
        let mut y = vec![T::zero(); planes * outputs];
        let task = planes_per_task(plane);
        let scratch = || Scratch::new(self.windows);
        let pairs = x
            .par_chunks(plane)
            .zip(y.par_chunks_mut(outputs))
            .with_min_len(task);
        if self.keep {
            let mut positions = vec![0; planes * outputs];
            pairs.zip(positions.par_chunks_mut(outputs)).for_each_init(
                scratch,
                |scratch, ((x, y), positions)| {
                    vectorised!(arch, scratch.maxima_and_positions(x, y, positions));
                },
            );
            // A second forward pass would give the same.
            let _ = self.positions.set(positions);
        } else {
            pairs.for_each_init(scratch, |scratch, (x, y)| {
                vectorised!(arch, scratch.maxima(x, y))
            });
        }
        Ok(y)
    }
}

/// One row's maxima, each row of a plane in turn, so that a row that lies in several windows is
/// read once.
///
/// A row is first dealt out to `stride` lanes, number q to lane q mod stride: then the k-th numbers
/// of all windows are neighbours, whatever the stride, and a loop over the windows runs on vectors.
struct Scratch<T> {
    windows: Windows,
    /// The lanes, one after another; what no row reaches is −∞, the padding.
    lanes: Vec<T>,
    lane: usize,
    best: Vec<T>,
    positions: Vec<u32>,
}

impl<T: Float> Scratch<T> {
    fn new(windows: Windows) -> Self {
        let Axis {
            kernel,
            stride,
            outputs,
            ..
        } = windows.columns;
        let lane = outputs + (kernel - 1) / stride;
        let infinity = T::from_f64(f64::NEG_INFINITY);
        Self {
            windows,
            lanes: vec![infinity; lane * stride.min(kernel)],
            lane,
            best: vec![infinity; outputs],
            positions: vec![0; outputs],
        }
    }

    #[inline(always)]
    fn deal(&mut self, row: &[T]) {
        let Axis {
            stride, padding, ..
        } = self.windows.columns;
        for (first, lane) in self.lanes.chunks_exact_mut(self.lane).enumerate() {
            // Padded number `first` + i·stride, the first one that is not padding.
            let start = padding.saturating_sub(first).div_ceil(stride);
            let column = first + start * stride - padding;
            let (Some(row), Some(lane)) = (row.get(column..), lane.get_mut(start..)) else {
                continue;
            };
            match stride {
                1 => {
                    let count = row.len().min(lane.len());
                    lane[..count].copy_from_slice(&row[..count]);
                }
                2 => {
                    let (pairs, last) = row.as_chunks::<2>();
                    for (lane, pair) in lane.iter_mut().zip(pairs) {
                        *lane = pair[0];
                    }
                    if let ([last], Some(lane)) = (last, lane.get_mut(pairs.len())) {
                        *lane = *last;
                    }
                }
                _ => lane
                    .iter_mut()
                    .zip(row.iter().step_by(stride))
                    .for_each(|(lane, value)| *lane = *value),
            }
        }
    }

    /// The `k`-th numbers of all windows.
    #[inline(always)]
    fn candidates(lanes: &[T], lane: usize, windows: Windows, k: usize) -> &[T] {
        let Axis {
            stride, outputs, ..
        } = windows.columns;
        let start = k % stride * lane + k / stride;
        &lanes[start..start + outputs]
    }

    #[inline(always)]
    fn maxima(&mut self, x: &[T], y: &mut [T]) {
        let Windows { rows, columns } = self.windows;
        for (at, row) in x.chunks_exact(columns.size).enumerate() {
            if rows.windows(at).is_empty() {
                continue;
            }
            self.deal(row);
            self.best
                .copy_from_slice(Self::candidates(&self.lanes, self.lane, self.windows, 0));
            for k in 1..columns.kernel {
                larger(
                    &mut self.best,
                    Self::candidates(&self.lanes, self.lane, self.windows, k),
                );
            }
            for window in rows.windows(at) {
                let y = &mut y[window * columns.outputs..][..columns.outputs];
                if at == rows.first(window) {
                    y.copy_from_slice(&self.best);
                } else {
                    larger(y, &self.best);
                }
            }
        }
    }

    #[inline(always)]
    fn maxima_and_positions(&mut self, x: &[T], y: &mut [T], positions: &mut [u32]) {
        let Windows { rows, columns } = self.windows;
        for (at, row) in x.chunks_exact(columns.size).enumerate() {
            if rows.windows(at).is_empty() {
                continue;
            }
            self.deal(row);
            self.best
                .copy_from_slice(Self::candidates(&self.lanes, self.lane, self.windows, 0));
            self.positions.fill(0);
            for k in 1..columns.kernel {
                let candidates = Self::candidates(&self.lanes, self.lane, self.windows, k);
                // Positions and numbers in a loop each: in one loop the two choices become a
                // branch, ten times slower.
                for ((position, &best), &next) in
                    self.positions.iter_mut().zip(&self.best).zip(candidates)
                {
                    *position = if is_larger(next, best) {
                        k as u32
                    } else {
                        *position
                    };
                }
                larger(&mut self.best, candidates);
            }
            // From the place in the window to the place in the plane. Padding is the largest only
            // where all is −∞: there the window's first number counts, the row's first.
            let (before, stride, padding) = (
                at * columns.size,
                columns.stride as u32,
                columns.padding as u32,
            );
            for (window, position) in (0u32..).zip(&mut self.positions) {
                *position = before as u32 + (window * stride + *position).saturating_sub(padding);
            }
            for window in rows.windows(at) {
                let outputs = window * columns.outputs..(window + 1) * columns.outputs;
                let (y, positions) = (&mut y[outputs.clone()], &mut positions[outputs]);
                if at == rows.first(window) {
                    y.copy_from_slice(&self.best);
                    positions.copy_from_slice(&self.positions);
                    continue;
                }
                let places = self.positions.iter().zip(&self.best);
                for ((position, &best), (&place, &next)) in
                    positions.iter_mut().zip(&*y).zip(places)
                {
                    *position = if is_larger(next, best) {
                        place
                    } else {
                        *position
                    };
                }
                larger(y, &self.best);
            }
        }
    }
}

/// Whether `next` takes the place of `best`; without a branch, so that the compiler can vectorise.
#[inline(always)]
#[allow(clippy::eq_op)]
fn is_larger<T: Float>(next: T, best: T) -> bool {
    (next > best) | (next != next)
}

#[inline(always)]
fn larger<T: Float>(best: &mut [T], next: &[T]) {
    for (best, &next) in best.iter_mut().zip(next) {
        *best = if is_larger(next, *best) { next } else { *best };
    }
}

/// The gradient: each number of `gradient` is added where the maximum came from.
struct Scatter<'a> {
    positions: &'a [u32],
    windows: Windows,
}

impl Kernel<1> for Scatter<'_> {
    fn operation(&self) -> Operation {
        Operation::MaxPool2d
    }

    fn forward<T: Float>(&self, [g]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (n, c, _, _) = g.layout.shape().dims4()?;
        let Windows { rows, columns } = self.windows;
        let shape = Shape::from((n, c, rows.size, columns.size));
        Ok((self.run(g.numbers, n * c), shape))
    }
}

impl Scatter<'_> {
    fn run<T: Float>(&self, gradient: &[T], planes: usize) -> Vec<T> {
        let Windows { rows, columns } = self.windows;
        let (plane, outputs) = (rows.size * columns.size, rows.outputs * columns.outputs);
        let mut sums = vec![T::zero(); planes * plane];
        sums.par_chunks_mut(plane)
            .zip(gradient.par_chunks(outputs))
            .zip(self.positions.par_chunks(outputs))
            .with_min_len(planes_per_task(plane))
            .for_each(|((sums, gradient), positions)| {
                for (&g, &position) in gradient.iter().zip(positions) {
                    sums[position as usize] += g;
                }
            });
        sums
    }
}
