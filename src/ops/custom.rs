//! The adapter between candle's custom operations and our kernels.
//!
//! candle passes untyped memory with a layout, and has one method for each number of arguments. A
//! [`Kernel`] sees only slices of f32 or f64: this module, once for all kernels, distinguishes the
//! dtypes, checks the layouts and adds the operation's name to errors.

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Error, Layout, Result, Shape, Tensor, bail,
};

use super::dtype::{WithFloat, with_float};
use super::memory::contiguous;
use super::operation::Operation;
use super::simd::Float;

/// A function of `N` tensors of one dtype: its values from slices, its gradients from tensors.
pub(super) trait Kernel<const N: usize> {
    /// Whether it reads arguments of any strides. Otherwise they are put in order before.
    const STRIDED: bool = false;

    /// The operation that it is, or that it is a part of.
    fn operation(&self) -> Operation;

    /// The result's numbers, row by row, and its shape.
    fn forward<T: Float>(&self, arguments: [Argument<'_, T>; N]) -> Result<(Vec<T>, Shape)>;

    /// The gradient in each argument, none where nothing asks for it (`Tensor::track_op`), from the
    /// arguments, the result and the gradient in the result. All are in order in memory.
    fn backward(
        &self,
        _arguments: [&Tensor; N],
        _result: &Tensor,
        _gradient: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        let op = self.operation().name();
        Err(Error::BackwardNotSupported { op })
    }
}

/// A tensor as a kernel reads it.
#[derive(Clone, Copy)]
pub(super) struct Argument<'a, T> {
    /// The numbers in order; all of the storage if the kernel is [`Kernel::STRIDED`].
    pub numbers: &'a [T],
    pub layout: &'a Layout,
    /// What candle's own matrix product reads.
    pub storage: &'a CpuStorage,
}

/// The arguments of a [`Kernel`].
pub(super) trait Arguments<const N: usize> {
    /// The kernel's result, differentiable by its backward pass.
    fn apply<K: Kernel<N> + Send + Sync + 'static>(self, kernel: K) -> Result<Tensor>;

    /// The kernel's result, without a gradient.
    fn apply_detached<K: Kernel<N>>(self, kernel: K) -> Result<Tensor>;
}

/// A kernel as candle calls it.
struct Shell<K>(K);

macro_rules! shell {
    ($n:literal, $CustomOp:ident, $apply:ident, $apply_detached:ident, $x:ident $x_layout:ident
     $(, $y:ident $y_layout:ident)*) => {
        impl<K: Kernel<$n>> $CustomOp for Shell<K> {
            fn name(&self) -> &'static str {
                self.0.operation().name()
            }

            fn cpu_fwd(
                &self,
                $x: &CpuStorage,
                $x_layout: &Layout,
                $($y: &CpuStorage, $y_layout: &Layout,)*
            ) -> Result<(CpuStorage, Shape)> {
                forward(&self.0, [($x, $x_layout) $(, ($y, $y_layout))*])
            }

            fn bwd(
                &self,
                $x: &Tensor,
                $($y: &Tensor,)*
                result: &Tensor,
                gradient: &Tensor,
            ) -> Result<shell!(@gradients $x $($y)*)> {
                let gradient = gradient.contiguous()?;
                let [$x $(, $y)*] = self.0.backward([$x $(, $y)*], result, &gradient)?;
                Ok(shell!(@tuple $x $($y)*))
            }
        }

        impl Arguments<$n> for [&Tensor; $n] {
            fn apply<K: Kernel<$n> + Send + Sync + 'static>(self, kernel: K) -> Result<Tensor> {
                let [$x $(, $y)*] = in_order::<K, $n>(self)?;
                $x.$apply($(&$y,)* Shell(kernel))
            }

            fn apply_detached<K: Kernel<$n>>(self, kernel: K) -> Result<Tensor> {
                let [$x $(, $y)*] = in_order::<K, $n>(self)?;
                $x.$apply_detached($(&$y,)* &Shell(kernel))
            }
        }
    };
    // candle has no tuple for one gradient.
    (@gradients $x:ident) => { Option<Tensor> };
    (@gradients $x:ident $y:ident) => { (Option<Tensor>, Option<Tensor>) };
    (@gradients $x:ident $y:ident $z:ident) => { (Option<Tensor>, Option<Tensor>, Option<Tensor>) };
    (@tuple $x:ident) => { $x };
    (@tuple $($x:ident)*) => { ($($x),*) };
}

shell!(1, CustomOp1, apply_op1, apply_op1_no_bwd, a la);
shell!(2, CustomOp2, apply_op2, apply_op2_no_bwd, a la, b lb);
shell!(3, CustomOp3, apply_op3, apply_op3_no_bwd, a la, b lb, c lc);

fn in_order<K: Kernel<N>, const N: usize>(arguments: [&Tensor; N]) -> Result<[Tensor; N]> {
    let mut tensors = arguments.map(Tensor::clone);
    if !K::STRIDED {
        for tensor in &mut tensors {
            *tensor = tensor.contiguous()?;
        }
    }
    Ok(tensors)
}

fn forward<K: Kernel<N>, const N: usize>(
    kernel: &K,
    arguments: [(&CpuStorage, &Layout); N],
) -> Result<(CpuStorage, Shape)> {
    let dtype = arguments[0].0.dtype();
    let values = Forward { kernel, arguments };
    with_float(kernel.operation(), dtype, values)
}

struct Forward<'a, K, const N: usize> {
    kernel: &'a K,
    arguments: [(&'a CpuStorage, &'a Layout); N],
}

impl<'a, K: Kernel<N>, const N: usize> WithFloat for Forward<'a, K, N> {
    type Output = (CpuStorage, Shape);

    fn run<T: Float>(self) -> Result<Self::Output> {
        let operation = self.kernel.operation();
        let read = |(storage, layout): (&'a CpuStorage, &'a Layout)| {
            if storage.dtype() != T::DTYPE {
                let (got, expected) = (storage.dtype(), T::DTYPE);
                bail!(
                    "{operation}: an argument is {got:?}; expected {expected:?}, as the first (inputs and weights need one type: `to_dtype` changes it)"
                )
            }
            let numbers = T::cpu_storage_as_slice(storage)?;
            Ok(Argument {
                numbers: if K::STRIDED {
                    numbers
                } else {
                    contiguous(operation, numbers, layout)?
                },
                layout,
                storage,
            })
        };
        let arguments = self.arguments.into_iter().map(read);
        let Ok(arguments) = arguments.collect::<Result<Vec<_>>>()?.try_into() else {
            bail!("{operation}: expected {N} arguments")
        };
        let (numbers, shape) = self.kernel.forward::<T>(arguments)?;
        Ok((T::to_cpu_storage_owned(numbers), shape))
    }
}
