//! The isometric loss with Euclidean distances on the CPU: one pass gives the value and the gradients.

use std::sync::{Arc, OnceLock};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, DType, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::cells::Cells;
use super::kernel::{Block, Points, ROWS, Rows, Scratch, Target, prepare};
use crate::ops::contiguous;
use crate::ops::simd::{self, Float};

/// What the first argument holds.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Given {
    /// The points x.
    Points,
    /// D_M whole.
    Matrix,
    /// D_M inside each cell, cell after cell.
    Pairs,
}

/// The composite's function of `given` and `z`.
pub(super) fn apply(kind: Given, given: &Tensor, z: &Tensor, cells: Arc<Cells>) -> crate::Result<Tensor> {
    let needs = [kind == Given::Points && given.track_op(), z.track_op()];
    let op = Fused { kind, cells, needs, gradients: OnceLock::new() };
    Ok(given.contiguous()?.apply_op2(&z.contiguous()?, op)?)
}

/// The value is a scalar, so the backward pass only scales gradients that are known already: they are computed along
/// with the value, for those arguments that take part in a gradient at all.
struct Fused {
    kind: Given,
    cells: Arc<Cells>,
    needs: [bool; 2],
    gradients: OnceLock<[Option<Tensor>; 2]>,
}

impl CustomOp2 for Fused {
    fn name(&self) -> &'static str {
        "isometric"
    }

    fn cpu_fwd(&self, given: &CpuStorage, lg: &Layout, z: &CpuStorage, lz: &Layout) -> Result<(CpuStorage, Shape)> {
        let storage = match z.dtype() {
            DType::F32 => self.run::<f32>(given, lg, z, lz),
            _ => self.run::<f64>(given, lg, z, lz),
        }?;
        Ok((storage, Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        // As a number: candle multiplies by a broadcast tensor one element at a time.
        let by = grad.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let scaled = |gradient: &Option<Tensor>| gradient.as_ref().map(|g| g * by).transpose();
        match self.gradients.get() {
            Some([x, z]) => Ok((scaled(x)?, scaled(z)?)),
            None => Ok((None, None)),
        }
    }
}

impl Fused {
    fn run<T: Float>(&self, given: &CpuStorage, lg: &Layout, z: &CpuStorage, lz: &Layout) -> Result<CpuStorage> {
        let arch = simd::arch()?;
        let (n, width) = lz.shape().dims2()?;
        let given = contiguous(T::cpu_storage_as_slice(given)?, lg)?;
        let mut z = Rows::new(contiguous(T::cpu_storage_as_slice(z)?, lz)?, width);
        let mut x = match self.kind {
            Given::Points => Rows::new(given, lg.shape().dims2()?.1),
            Given::Matrix | Given::Pairs => Rows::new(&[], 0),
        };
        let cells = &self.cells;
        for rows in [&mut x, &mut z] {
            prepare(rows, cells.iter());
        }
        let points = |rows| cells.iter().map(|cell| Points::new(rows, cell)).collect::<Vec<_>>();
        let points_z = points(&z);
        let target = match self.kind {
            Given::Points => Target::Points(points(&x)),
            Given::Matrix => Target::Matrix(given, n),
            Given::Pairs => Target::Pairs(given, cells.starts_of_pairs()),
        };

        // Rows of a cell together, as the blocks come; a block writes its own rows only, so the threads do not matter.
        let total = cells.iter().map(<[u32]>::len).sum::<usize>();
        let [need_x, need_z] = self.needs;
        let mut gradient_x = vec![T::zero(); if need_x { total * x.width } else { 0 }];
        let mut gradient_z = vec![T::zero(); if need_z { total * z.width } else { 0 }];
        let mut blocks = Vec::with_capacity(total / ROWS + cells.len());
        {
            let (mut rest_x, mut rest_z) = (gradient_x.as_mut_slice(), gradient_z.as_mut_slice());
            for (cell, members) in cells.iter().enumerate() {
                for first in (0..members.len()).step_by(ROWS) {
                    let count = ROWS.min(members.len() - first);
                    let rows_x = take(&mut rest_x, if need_x { count * x.width } else { 0 });
                    let rows_z = take(&mut rest_z, if need_z { count * z.width } else { 0 });
                    blocks.push((cell, first, count, rows_x, rows_z, 0f64));
                }
            }
        }
        let factor = T::from_f64(4. / (n as f64 * n as f64));
        let scratch = || Scratch::new(&target, &points_z);
        let run = |scratch: &mut Scratch<T>, block: &mut (usize, usize, usize, &mut [T], &mut [T], f64)| {
            let (cell, first, count, gradient_x, gradient_z, sum) = block;
            let (cell, first, count) = (*cell, *first, *count);
            let (target, z) = (&target, points_z.as_slice());
            *sum = arch.dispatch(Block { target, z, cell, first, count, factor, scratch, gradient_x, gradient_z });
        };
        // Tasks of some tens of microseconds; what is less than two of them is not worth another thread.
        let pairs = cells.iter().map(|cell| cell.len() * cell.len()).sum::<usize>();
        let work = pairs * (2 * x.width + 2 * z.width + 10);
        let blocks_a_task = (blocks.len() * 1_000_000 / work.max(1)).max(1);
        if blocks.len() < 2 * blocks_a_task {
            let mut scratch = scratch();
            blocks.iter_mut().for_each(|block| run(&mut scratch, block));
        } else {
            blocks.par_iter_mut().with_min_len(blocks_a_task).for_each_init(scratch, run);
        }
        let sum = blocks.iter().map(|block| block.5).sum::<f64>();

        let tensor = |values: Vec<T>, width: usize, needed: bool| {
            let in_order = || Tensor::from_vec(cells.scatter(values, width), (n, width), &Device::Cpu);
            needed.then(in_order).transpose()
        };
        // A second forward pass would give the same gradients.
        let _ = self.gradients.set([tensor(gradient_x, x.width, need_x)?, tensor(gradient_z, z.width, need_z)?]);
        Ok(T::to_cpu_storage_owned(vec![T::from_f64(sum / (n as f64 * n as f64))]))
    }
}

/// The first `length` numbers of `rest`, which keeps the others.
fn take<'a, T>(rest: &mut &'a mut [T], length: usize) -> &'a mut [T] {
    let (first, others) = std::mem::take(rest).split_at_mut(length);
    *rest = others;
    first
}
