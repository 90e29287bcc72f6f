//! The isometric loss with Euclidean distances on the CPU: one pass gives the value and the
//! gradients.

use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Result, Shape, Tensor};
use rayon::prelude::*;

use super::cells::Cells;
use super::kernel::{Block, ROWS, Scratch, Target};
use super::points::{Aligned, Points, Rows, TILE};
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::operation::Operation;
use crate::ops::simd::{self, Float};

/// What the first argument, the reference, holds.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Reference {
    /// The points x.
    Points,
    /// D_M whole.
    Matrix,
    /// D_M inside each cell, cell after cell.
    Pairs,
}

/// The composite's function of `reference` and `z`.
pub(super) fn apply(
    kind: Reference,
    reference: &Tensor,
    z: &Tensor,
    cells: Arc<Cells>,
) -> crate::Result<Tensor> {
    let needs = [
        kind == Reference::Points && reference.track_op(),
        z.track_op(),
    ];
    let op = Fused {
        kind,
        cells,
        needs,
        gradients: OnceLock::new(),
    };
    Ok([reference, z].apply(op)?)
}

/// The value is a scalar, so the backward pass only scales gradients that are known already: they
/// are computed along with the value, for those arguments that take part in a gradient at all.
struct Fused {
    kind: Reference,
    cells: Arc<Cells>,
    needs: [bool; 2],
    gradients: OnceLock<[Option<Tensor>; 2]>,
}

impl Kernel<2> for Fused {
    fn operation(&self) -> Operation {
        match self.kind {
            Reference::Points => Operation::Isometric,
            Reference::Matrix | Reference::Pairs => Operation::IsometricTo,
        }
    }

    fn forward<T: Float>(&self, [reference, z]: [Argument<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        Ok((vec![self.run(reference, z)?], Shape::from(())))
    }

    fn backward(
        &self,
        _: [&Tensor; 2],
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        // As a number: candle multiplies by a broadcast tensor one element at a time.
        let by = gradient.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let scaled = |gradient: &Option<Tensor>| gradient.as_ref().map(|g| g * by).transpose();
        match self.gradients.get() {
            Some([x, z]) => Ok([scaled(x)?, scaled(z)?]),
            None => Ok([None, None]),
        }
    }
}

/// Shares of one cell at most: each takes memory for the cell's gradients.
const SHARES: usize = 16;

/// Some of a cell's blocks, with gradients of their own: so the order of the sums is the same for
/// any number of threads.
struct Share<'a, T> {
    cell: usize,
    /// The place of this share among the shares of its cell.
    index: usize,
    /// The number of shares of the cell.
    of: usize,
    gradients: [&'a mut [T]; 2],
    sum: f64,
}

impl<T: Float> Share<'_, T> {
    /// The blocks' first points. Early blocks have more pairs, so every second round goes
    /// backwards.
    fn blocks(&self, n: usize) -> impl Iterator<Item = usize> + use<T> {
        let (index, of) = (self.index, self.of);
        let rounds = n.div_ceil(ROWS).div_ceil(of);
        let block = move |round| {
            round * of
                + if round % 2 == 0 {
                    index
                } else {
                    of - 1 - index
                }
        };
        (0..rounds)
            .map(move |round| block(round) * ROWS)
            .filter(move |&first| first < n)
    }
}

impl Fused {
    fn run<T: Float>(&self, reference: Argument<T>, z: Argument<T>) -> Result<T> {
        let arch = simd::arch()?;
        let (n, width) = z.layout.shape().dims2()?;
        let (reference, layout) = (reference.numbers, reference.layout);
        let mut z = Rows::new(z.numbers, width);
        let mut x = match self.kind {
            Reference::Points => Rows::new(reference, layout.shape().dims2()?.1),
            Reference::Matrix | Reference::Pairs => Rows::new(&[], 0),
        };
        let cells = &self.cells;
        for rows in [&mut x, &mut z] {
            rows.prepare(cells.iter());
        }
        let points = |rows| {
            cells
                .iter()
                .map(|cell| Points::new(rows, cell))
                .collect::<Vec<_>>()
        };
        let target = || match self.kind {
            Reference::Points => Target::Points(points(&x)),
            Reference::Matrix => Target::Matrix(reference, n),
            Reference::Pairs => Target::Pairs(reference, cells.starts_of_pairs()),
        };
        // Both lay the points out anew: some ten thousand numbers are worth another thread.
        let (points_z, target) = if n * width > 10_000 {
            rayon::join(|| points(&z), target)
        } else {
            (points(&z), target())
        };

        let needs = [self.needs[0] && x.width > 0, self.needs[1] && z.width > 0];
        // In operations.
        let work = |n: usize| n * n / 2 * (2 * x.width + 5 * z.width + 10);
        let mut shares = Vec::with_capacity(cells.len());
        for (cell, members) in cells.iter().enumerate() {
            let of = (work(members.len()) / 16_000_000).clamp(1, SHARES);
            shares.extend((0..of).map(|index| (cell, index, of)));
        }
        // One piece of memory for all: the allocator gives it again, and many small ones back to
        // the system.
        let length = |points: &[Points<'_, T>], cell: usize| {
            points.get(cell).map_or(0, Points::gradient_len)
        };
        let length = |cell| {
            let lengths = [length(target.points(), cell), length(&points_z, cell)];
            [0, 1].map(|side| if needs[side] { lengths[side] } else { 0 })
        };
        let all = shares
            .iter()
            .map(|&(cell, ..)| length(cell).iter().sum::<usize>())
            .sum();
        let mut memory = Aligned::zeros(all);
        let mut rest = memory.get_mut();
        let share = |(cell, index, of)| {
            let gradients =
                length(cell).map(|length| rest.split_off_mut(..length).unwrap_or_default());
            Share {
                cell,
                index,
                of,
                gradients,
                sum: 0.,
            }
        };
        let mut shares: Vec<_> = shares.into_iter().map(share).collect();
        let factor = T::from_f64(4. / (n as f64 * n as f64));
        let scratch = || Scratch::new(&target, &points_z);
        let run = |scratch: &mut Scratch<T>, share: &mut Share<'_, T>| {
            let (target, z, cell) = (&target, points_z.as_slice(), share.cell);
            for first in share.blocks(z[cell].members.len()) {
                let gradients = share.gradients.each_mut().map(|gradient| &mut **gradient);
                let scratch = &mut *scratch;
                share.sum += arch.dispatch(Block {
                    target,
                    z,
                    cell,
                    first,
                    factor,
                    scratch,
                    gradients,
                });
            }
        };
        // Tasks of some ten microseconds; what is less than two of them is not worth another
        // thread.
        let all = points_z
            .iter()
            .map(|points| work(points.members.len()))
            .sum::<usize>();
        let shares_a_task = (shares.len() * 400_000 / all.max(1)).max(1);
        if shares.len() < 2 * shares_a_task {
            let mut scratch = scratch();
            shares.iter_mut().for_each(|share| run(&mut scratch, share));
        } else {
            shares
                .par_iter_mut()
                .with_min_len(shares_a_task)
                .for_each_init(scratch, run);
        }
        let diagonal = (0..)
            .zip(cells.iter())
            .map(|(cell, members)| target.diagonal(cell, members))
            .sum::<f64>();
        // A pair counts twice.
        let sum = 2. * shares.iter().map(|share| share.sum).sum::<f64>() + diagonal;

        let gradient = |side: usize, points: &[Points<'_, T>], width: usize| {
            let in_order = || {
                Tensor::from_vec(
                    cells.scatter(total(&shares, side, points, width), width),
                    (n, width),
                    &Device::Cpu,
                )
            };
            self.needs[side].then(in_order).transpose()
        };
        // A second forward pass would give the same gradients.
        let gradients = [
            gradient(0, target.points(), x.width)?,
            gradient(1, &points_z, z.width)?,
        ];
        let _ = self.gradients.set(gradients);
        Ok(T::from_f64(sum / (n as f64 * n as f64)))
    }
}

/// The gradients of all shares together: rows of the points, cell after cell.
fn total<T: Float>(
    shares: &[Share<'_, T>],
    side: usize,
    points: &[Points<'_, T>],
    width: usize,
) -> Vec<T> {
    let mut rows = vec![
        T::zero();
        points
            .iter()
            .map(|points| points.members.len() * width)
            .sum()
    ];
    if width == 0 {
        return rows;
    }
    let mut rest = rows.as_mut_slice();
    for (shares, points) in shares.chunk_by(|a, b| a.cell == b.cell).zip(points) {
        let gradients = shares.iter().map(|share| &*share.gradients[side]);
        let rows = rest
            .split_off_mut(..points.members.len() * width)
            .unwrap_or_default();
        let tiles =
            |(tile, rows): (usize, &mut [T])| points.sum_rows(gradients.clone(), tile * TILE, rows);
        if shares.len() > 1 {
            rows.par_chunks_mut(TILE * width)
                .enumerate()
                .for_each(tiles);
        } else {
            rows.chunks_mut(TILE * width).enumerate().for_each(tiles);
        }
    }
    rows
}
