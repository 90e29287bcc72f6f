//! The isometric loss with Euclidean distances on the CPU: one pass gives the value and the gradients.

use std::sync::OnceLock;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, WithDType};
use rayon::prelude::*;

use crate::ops::contiguous;

/// The composite's function of `x` and `z`; `groups` are the cells with two or more points.
pub(super) fn apply(x: &Tensor, z: &Tensor, groups: Vec<Vec<u32>>) -> crate::Result<Tensor> {
    let op = Fused { groups, needs: [x.track_op(), z.track_op()], gradients: OnceLock::new() };
    Ok(x.contiguous()?.apply_op2(&z.contiguous()?, op)?)
}

/// The value is a scalar, so the backward pass only scales gradients that are known already: they are computed along
/// with the value, for those arguments that take part in a gradient at all.
struct Fused {
    groups: Vec<Vec<u32>>,
    needs: [bool; 2],
    gradients: OnceLock<[Option<Tensor>; 2]>,
}

impl CustomOp2 for Fused {
    fn name(&self) -> &'static str {
        "isometric"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, z: &CpuStorage, lz: &Layout) -> Result<(CpuStorage, Shape)> {
        let storage = match x.dtype() {
            DType::F32 => self.run::<f32>(x, lx, z, lz),
            _ => self.run::<f64>(x, lx, z, lz),
        }?;
        Ok((storage, Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let scaled = |gradient: &Option<Tensor>| gradient.as_ref().map(|g| g.broadcast_mul(grad)).transpose();
        match self.gradients.get() {
            Some([x, z]) => Ok((scaled(x)?, scaled(z)?)),
            None => Ok((None, None)),
        }
    }
}

impl Fused {
    fn run<T: WithDType>(&self, x: &CpuStorage, lx: &Layout, z: &CpuStorage, lz: &Layout) -> Result<CpuStorage> {
        let (x, z) = (Rows::<T>::new(x, lx)?, Rows::<T>::new(z, lz)?);
        let n = lx.dims()[0];
        // Each point's row of the sums, and its position among the rows that are needed: rows of other threads do not
        // matter to it, so neither does their number.
        let mut group_of: Vec<&[u32]> = vec![&[]; n];
        for group in &self.groups {
            group.iter().for_each(|&point| group_of[point as usize] = group);
        }
        let [need_x, need_z] = self.needs;
        let mut gradient_x = vec![T::zero(); if need_x { n * x.width } else { 0 }];
        let mut gradient_z = vec![T::zero(); if need_z { n * z.width } else { 0 }];
        let mut sums = vec![0f64; n];
        // ∂L/∂x_i = (4/N²) Σ_j (d(x_i,x_j) − d(z_i,z_j)) (x_i − x_j)/d(x_i,x_j), as pairs (i, j) and (j, i) both count.
        let factor = 4. / (n as f64 * n as f64);
        let row = |point: usize, sum: &mut f64, row_x: &mut [T], row_z: &mut [T]| {
            let (xi, zi) = (x.row(point), z.row(point));
            for &other in group_of[point] {
                let other = other as usize;
                if other == point {
                    continue;
                }
                let (xj, zj) = (x.row(other), z.row(other));
                let (dx, dz) = (distance(xi, xj), distance(zi, zj));
                let difference = dx - dz;
                *sum += difference * difference;
                if need_x && dx > 0. {
                    add_scaled(row_x, xi, xj, T::from_f64(factor * difference / dx));
                }
                if need_z && dz > 0. {
                    add_scaled(row_z, zi, zj, T::from_f64(-factor * difference / dz));
                }
            }
        };
        let rows_x = chunks(&mut gradient_x, n);
        let rows_z = chunks(&mut gradient_z, n);
        // A few rows a task: tasks of some ten microseconds.
        let work: usize = self.groups.iter().map(|g| g.len() * g.len()).sum::<usize>() * (x.width + z.width);
        let rows_per_task = (n * 100_000 / work.max(1)).clamp(1, n);
        sums.par_iter_mut()
            .zip(rows_x)
            .zip(rows_z)
            .enumerate()
            .with_min_len(rows_per_task)
            .for_each(|(point, ((sum, row_x), row_z))| row(point, sum, row_x, row_z));

        let tensor = |values: Vec<T>, rows: &Rows<T>, needed: bool| {
            needed.then(|| Tensor::from_vec(values, (n, rows.width), &candle_core::Device::Cpu)).transpose()
        };
        // A second forward pass would give the same gradients.
        let _ = self.gradients.set([tensor(gradient_x, &x, need_x)?, tensor(gradient_z, &z, need_z)?]);
        let value = sums.iter().sum::<f64>() / (n as f64 * n as f64);
        Ok(T::to_cpu_storage_owned(vec![T::from_f64(value)]))
    }
}

/// A contiguous matrix by rows.
struct Rows<'a, T> {
    values: &'a [T],
    width: usize,
}

impl<'a, T: WithDType> Rows<'a, T> {
    fn new(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let (_, width) = layout.shape().dims2()?;
        Ok(Self { values: contiguous(T::cpu_storage_as_slice(storage)?, layout)?, width })
    }

    fn row(&self, index: usize) -> &'a [T] {
        &self.values[index * self.width..(index + 1) * self.width]
    }
}

/// `n` rows of `values`, empty ones when there are no values.
fn chunks<T: Send>(values: &mut [T], n: usize) -> Vec<&mut [T]> {
    let width = values.len() / n;
    let mut rest = values;
    (0..n)
        .map(|_| {
            let (row, tail) = std::mem::take(&mut rest).split_at_mut(width);
            rest = tail;
            row
        })
        .collect()
}

/// ‖a − b‖. The sum has sixteen lanes whatever the processor's width, so every processor gives the same number.
fn distance<T: WithDType>(a: &[T], b: &[T]) -> f64 {
    const LANES: usize = 16;
    let mut lanes = [T::zero(); LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            lanes[lane] += difference * difference;
        }
    }
    for (lane, (&a, &b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += (a - b) * (a - b);
    }
    let eight: [T; 8] = std::array::from_fn(|lane| lanes[lane] + lanes[lane + 8]);
    let four: [T; 4] = std::array::from_fn(|lane| eight[lane] + eight[lane + 4]);
    ((four[0] + four[2]) + (four[1] + four[3])).to_f64().sqrt()
}

/// `sum += scale · (a − b)`.
fn add_scaled<T: WithDType>(sum: &mut [T], a: &[T], b: &[T], scale: T) {
    for (sum, (&a, &b)) in sum.iter_mut().zip(a.iter().zip(b)) {
        *sum += scale * (a - b);
    }
}
