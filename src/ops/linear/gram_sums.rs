//! Row sums of the sizes in a Gram matrix, which is never whole in memory.
//!
//! In candle's operations each pass over the matrix of 784 × 784 numbers, that of a first layer for MNIST, goes over
//! memory, and its gradient takes two products where one will do: the matrix is symmetric.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use super::product::{Matrix, whole};
use crate::error::Error;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{is_fused, widened};
use crate::ops::operation::Operation;
use crate::ops::planes::sum;
use crate::ops::simd::{Float, arch, vectorised};

/// Most rows of the Gram matrix that a thread has at a time: `gemm` orders all of the weight anew for each part, which
/// with 32 rows takes as long as the product.
const ROWS: usize = 112;

/// The row sums of the sizes in the Gram matrix of a matrix's columns; differentiable.
///
/// ```text
/// s_i = Σ_j |WᵀW|_ij
/// ```
///
/// On a CPU in f32 or f64 some rows of WᵀW at a time, elsewhere [`gram_sums_composite`].
///
/// - **Shapes**: `weight` W (outputs, inputs); the result (inputs,). It takes inputs² · outputs
///   multiplications, and as many again with the gradient twice.
/// - **Range**: ≥ 0; where a number of WᵀW is 0 the gradient of its size counts as 0.
/// - **Source**: the sums of Prach & Lampert 2022 (arXiv 2208.03160), theorem 1.
///
/// # Errors
/// A tensor that is no matrix, or numbers that are not floating-point.
pub fn gram_sums(weight: &Tensor) -> crate::Result<Tensor> {
    check(weight)?;
    if is_fused(weight) {
        return Ok([weight].apply(GramSums)?);
    }
    gram_sums_composite(weight)
}

/// The function [`gram_sums`] in plain candle operations, for every device.
///
/// # Errors
/// As [`gram_sums`].
pub fn gram_sums_composite(weight: &Tensor) -> crate::Result<Tensor> {
    check(weight)?;
    let wide = widened("weight", weight)?;
    let gram = wide.t()?.contiguous()?.matmul(&wide)?;
    // The gradient of candle's `abs` is 1 at 0.
    let sizes = (gram.relu()? + gram.neg()?.relu()?)?;
    Ok(sizes.sum(1)?.to_dtype(weight.dtype())?)
}

fn check(weight: &Tensor) -> crate::Result<()> {
    if weight.rank() != 2 {
        let expected = "(outputs, inputs)";
        return Err(Error::shape("gram_sums", "weight", expected, weight.dims()));
    }
    Ok(())
}

const OPERATION: Operation = Operation::GramSums;

struct GramSums;

impl Kernel<1> for GramSums {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [weight]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let arch = arch()?;
        let size = |row: &[T]| {
            T::from_f64(vectorised!(arch, {
                sum(
                    row,
                    #[inline(always)]
                    |number| number.abs(),
                )
            }))
        };
        let (inputs, found) = by_rows(weight, |_, gram, inputs| {
            Ok(gram.chunks(inputs).map(size).collect())
        })?;
        Ok((found, Shape::from(inputs)))
    }

    fn backward(
        &self,
        [weight]: [&Tensor; 1],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 1]> {
        let across = [weight, g].apply_detached(Gradient)?;
        Ok([Some(across.t()?.contiguous()?)])
    }
}

/// The transposed gradient: M Wᵀ with M_ij = sign((WᵀW)_ij) (g_i + g_j), which is symmetric.
struct Gradient;

impl Kernel<2> for Gradient {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [weight, g]: [Argument<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (arch, g) = (arch()?, g.numbers);
        let (outputs, _) = weight.layout.shape().dims2()?;
        let across = Matrix::new(weight).transposed()?;
        let (inputs, found) = by_rows(weight, |first, mut gram, inputs| {
            for (row, own) in gram.chunks_mut(inputs).zip(&g[first..]) {
                vectorised!(arch, {
                    for (number, g) in row.iter_mut().zip(g) {
                        *number = times_sign(*own + *g, *number);
                    }
                });
            }
            let rows = gram.len() / inputs;
            let storage = T::to_cpu_storage_owned(gram);
            whole(Matrix::of(&storage, (rows, inputs)), across.clone())
        })?;
        Ok((found, Shape::from((inputs, outputs))))
    }
}

/// x · sign(of), 0 where `of` is 0.
#[inline(always)]
fn times_sign<T: Float>(x: T, of: T) -> T {
    let signed = if of < T::zero() { T::zero() - x } else { x };
    if of == T::zero() { T::zero() } else { signed }
}

/// What `of` makes of some rows of WᵀW at a time, from the number of the first one on: all of it in order, and the
/// number of rows.
fn by_rows<T: Float>(
    weight: Argument<T>,
    of: impl Fn(usize, Vec<T>, usize) -> Result<Vec<T>> + Sync,
) -> Result<(usize, Vec<T>)> {
    let (_, inputs) = weight.layout.shape().dims2()?;
    let weight = Matrix::new(weight);
    let across = weight.clone().transposed()?;
    // Of nearly one size, and as many as two threads share out well.
    let rows = inputs
        .div_ceil(inputs.div_ceil(ROWS).next_multiple_of(2).max(1))
        .max(1);
    let starts: Vec<usize> = (0..inputs).step_by(rows).collect();
    let parts: Vec<Result<Vec<T>>> = starts
        .into_par_iter()
        .map(|first| {
            let rows = across.rows(first, rows.min(inputs - first))?;
            of(first, whole(rows, weight.clone())?, inputs)
        })
        .collect();
    let parts = parts.into_iter().collect::<Result<Vec<_>>>()?;
    Ok((inputs, parts.concat()))
}
