//! The linear layer, without the gradients that nobody asks for.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp3, DType, Layout, Result, Shape, Tensor, WithDType};
use candle_nn::{Linear, Module};

use crate::ops::contiguous;

/// y = x Wᵀ + b: `x` (N, inputs), `layer` with W (outputs, inputs) and b (outputs), give (N, outputs).
///
/// Differentiable in `x`, W and b. candle computes the gradients of both factors of a product even where only one can be
/// used; on the CPU (f32, f64) this layer leaves out the input's gradient in a network's first layer and the weights'
/// in a frozen network, either a third of the whole work. All else goes to [`linear_composite`].
///
/// # Errors
/// Shapes or dtypes that do not fit.
pub fn linear(layer: &Linear, x: &Tensor) -> crate::Result<Tensor> {
    match layer.bias() {
        Some(bias) if x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64) && x.rank() == 2 => {
            Ok(x.apply_op3(layer.weight(), bias, Affine)?)
        }
        _ => linear_composite(layer, x),
    }
}

/// [`linear`] as candle-nn does it, on every device.
///
/// # Errors
/// As [`linear`].
pub fn linear_composite(layer: &Linear, x: &Tensor) -> crate::Result<Tensor> {
    Ok(layer.forward(x)?)
}

struct Affine;

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        weight: &CpuStorage,
        lw: &Layout,
        bias: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((n, inputs), (outputs, width)) = (lx.shape().dims2()?, lw.shape().dims2()?);
        if width != inputs || lb.dims() != [outputs] {
            candle_core::bail!("linear: x {:?}, weight {:?}, bias {:?} do not fit", lx.dims(), lw.dims(), lb.dims())
        }
        let mut product = x.matmul(weight, (1, n, outputs, inputs), lx, &lw.transpose(0, 1)?)?;
        match (&mut product, bias) {
            (CpuStorage::F32(y), CpuStorage::F32(bias)) => add_to_rows(y, contiguous(bias, lb)?),
            (CpuStorage::F64(y), CpuStorage::F64(bias)) => add_to_rows(y, contiguous(bias, lb)?),
            _ => candle_core::bail!("linear: the bias has another dtype than x"),
        }
        Ok((product, Shape::from((n, outputs))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let of_x = || grad.matmul(&weight.detach());
        let of_weight = || grad.t()?.matmul(&x.detach());
        let of_bias = || grad.apply_op1_no_bwd(&ColumnSums);
        Ok((
            x.track_op().then(of_x).transpose()?,
            weight.track_op().then(of_weight).transpose()?,
            bias.track_op().then(of_bias).transpose()?,
        ))
    }
}

/// (N, D) gives (D,); candle's own sum over the first axis is not vectorised.
struct ColumnSums;

impl CustomOp1 for ColumnSums {
    fn name(&self) -> &'static str {
        "column-sums"
    }

    fn cpu_fwd(&self, matrix: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn sums<T: WithDType>(matrix: &[T], width: usize) -> CpuStorage {
            let mut sums = vec![T::zero(); width];
            for row in matrix.chunks_exact(width.max(1)) {
                for (sum, &value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            T::to_cpu_storage_owned(sums)
        }
        let (_, width) = layout.shape().dims2()?;
        let sums = match matrix {
            CpuStorage::F32(matrix) => sums(contiguous(matrix, layout)?, width),
            CpuStorage::F64(matrix) => sums(contiguous(matrix, layout)?, width),
            _ => candle_core::bail!("column-sums: neither f32 nor f64"),
        };
        Ok((sums, Shape::from(width)))
    }
}

fn add_to_rows<T: WithDType>(matrix: &mut [T], row: &[T]) {
    for values in matrix.chunks_exact_mut(row.len().max(1)) {
        for (value, &add) in values.iter_mut().zip(row) {
            *value += add;
        }
    }
}
