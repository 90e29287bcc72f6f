//! One step of Adam, in place.

use std::cell::Cell;
use std::marker::PhantomData;

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Result, Tensor, Var, bail};

use super::dtype::{WithFloat, is_fused, with_float};
use super::memory::memory;
use super::operation::Operation;
use super::simd::{self, Float, vectorised};
use crate::error::Error;

/// The parameters of one step of Adam, with the bias correction of step t included.
///
/// ```text
/// step_size = α / (1 − β₁ᵗ),  correction = √(1 − β₂ᵗ)
/// ```
///
/// α is the learning rate and t = 1, 2, … the number of the step, for [`adam`].
///
/// - **Shapes**: numbers.
/// - **Range**: `step_size` > 0, `correction` in (0, 1\], β₁ and β₂ in \[0, 1), ε > 0; not checked.
/// - **Source**: Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// The learning rate divided by 1 − β₁ᵗ, the correction of the first moment.
    pub step_size: f64,
    /// The correction √(1 − β₂ᵗ) of the second moment's root.
    pub correction: f64,
    /// The decay rate β₁ of the first moment.
    pub beta1: f64,
    /// The decay rate β₂ of the second moment.
    pub beta2: f64,
    /// The number ε that keeps the denominator above 0.
    pub eps: f64,
}

/// One step of Adam: changes a weight and its two moments in place.
///
/// ```text
/// m ← m + (1 − β₁)(g − m)
/// v ← β₂ v + (1 − β₂) g²
/// θ ← θ − step_size · m / (√v / correction + ε)
/// ```
///
/// θ is the weight, g its gradient, m and v the running means of g and g², 0 before the first step.
/// On the CPU one pass, with no memory taken and one division a number; on other devices
/// [`adam_composite`], whose order of operations is that of PyTorch's `Adam`.
///
/// - **Shapes**: `theta`, `m`, `v` and `gradient` of one shape and dtype.
/// - **Range**: v ≥ 0; all else any number.
/// - **Source**: Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1, as PyTorch's `Adam`.
///
/// # Errors
/// Numbers other than f32 and f64; shapes or dtypes that do not fit; a weight or moments that are
/// not contiguous; two tensors that share their memory. (PyTorch takes f16 and bf16, where a moment
/// no longer moves: 0.999 v rounds to v.)
pub fn adam(theta: &Var, m: &Var, v: &Var, gradient: &Tensor, step: AdamStep) -> crate::Result<()> {
    let gradient = gradient.contiguous()?;
    let tensors = [theta, m, v, &gradient];
    check(tensors)?;
    if !is_fused(theta) {
        return adam_composite(theta, m, v, &gradient, step);
    }
    Ok(with_float(OPERATION, theta.dtype(), Step(step, tensors))?)
}

/// The step of [`adam`] in plain candle operations, on every device.
///
/// # Errors
/// As [`adam`]; tensors that share their memory are not looked for.
pub fn adam_composite(
    theta: &Var,
    m: &Var,
    v: &Var,
    gradient: &Tensor,
    step: AdamStep,
) -> crate::Result<()> {
    if !matches!(theta.dtype(), DType::F32 | DType::F64) {
        return Err(Error::argument(
            "the dtype of a weight that Adam is to move",
            "F32 or F64, in which small steps add up: convert the weights with to_dtype(DType::F32)",
            format!("{:?}", theta.dtype()),
        ));
    }
    let (theta_now, gradient) = (theta.as_detached_tensor(), gradient.detach());
    let m_now = m.as_detached_tensor();
    let m_next = (&m_now + ((&gradient - &m_now)? * (1. - step.beta1))?)?;
    let v_next = ((v.as_detached_tensor() * step.beta2)? + (gradient.sqr()? * (1. - step.beta2))?)?;
    let denominator = ((v_next.sqrt()? / step.correction)? + step.eps)?;
    let next = (theta_now - ((&m_next / denominator)? * step.step_size)?)?;
    m.set(&m_next)?;
    v.set(&v_next)?;
    Ok(theta.set(&next)?)
}

/// Checks that all fit, and that no two share their memory: each is locked while the step is done.
fn check(tensors: [&Tensor; 4]) -> Result<()> {
    let [theta, others @ ..] = tensors;
    for other in others {
        if other.shape() != theta.shape() || other.dtype() != theta.dtype() {
            let [theta, other] =
                [theta, other].map(|t| format!("{:?} of {:?}", t.dims(), t.dtype()));
            bail!("adam: shape {other}; expected {theta}")
        }
    }
    let places = tensors.map(|tensor| std::ptr::from_ref(&*tensor.storage_and_layout().0).addr());
    if (1..4).any(|k| places[..k].contains(&places[k])) {
        bail!("adam: two of weight, moments and gradient share their memory; expected four tensors")
    }
    Ok(())
}

const OPERATION: Operation = Operation::Adam;

/// Numbers from which on a second thread is worth its start.
const WORTH_HALVING: usize = 50_000;

/// The weight, the moments and the gradient of a step.
struct Step<'a>(AdamStep, [&'a Tensor; 4]);

impl WithFloat for Step<'_> {
    type Output = ();

    fn run<T: Float>(self) -> Result<()> {
        let Self(step, [theta, m, v, gradient]) = self;
        let gradient = memory(OPERATION, gradient);
        let gradient = gradient.numbers::<T>()?;
        in_place(theta, |theta| {
            in_place(m, |m| in_place(v, |v| step.run([theta, m, v], gradient)))
        })
    }
}

impl AdamStep {
    /// The step of all numbers; many are halved between two threads, since each number is moved
    /// alone.
    fn run<T: Float>(&self, [theta, m, v]: [&mut [T]; 3], gradient: &[T]) -> Result<()> {
        if gradient.len() < WORTH_HALVING {
            return self.run_part([theta, m, v], gradient);
        }
        let middle = gradient.len() / 2;
        let [theta, m, v] = [theta, m, v].map(|numbers| numbers.split_at_mut(middle));
        let gradient = gradient.split_at(middle);
        let (first, second) = rayon::join(
            || self.run_part([theta.0, m.0, v.0], gradient.0),
            || self.run_part([theta.1, m.1, v.1], gradient.1),
        );
        first.and(second)
    }

    fn run_part<T: Float>(&self, [theta, m, v]: [&mut [T]; 3], gradient: &[T]) -> Result<()> {
        let [take_m, keep_v, take_v] =
            [1. - self.beta1, self.beta2, 1. - self.beta2].map(T::from_f64);
        // m / (√v / correction + ε) with one division.
        let [step_size, eps] =
            [self.step_size * self.correction, self.eps * self.correction].map(T::from_f64);
        vectorised!(simd::arch()?, {
            for ((theta, &g), (m, v)) in theta
                .iter_mut()
                .zip(gradient)
                .zip(m.iter_mut().zip(v.iter_mut()))
            {
                *m += take_m * (g - *m);
                *v = keep_v * *v + take_v * g * g;
                *theta -= step_size * (*m / (v.root() + eps));
            }
        });
        Ok(())
    }
}

/// Lets `change` change the numbers of a contiguous tensor.
fn in_place<T: Float>(tensor: &Tensor, change: impl FnOnce(&mut [T]) -> Result<()>) -> Result<()> {
    tensor.inplace_op1(&InPlace {
        change: Cell::new(Some(change)),
        of: PhantomData,
    })
}

struct InPlace<T, F> {
    change: Cell<Option<F>>,
    of: PhantomData<T>,
}

impl<T: Float, F: FnOnce(&mut [T]) -> Result<()>> InplaceOp1 for InPlace<T, F> {
    fn name(&self) -> &'static str {
        OPERATION.name()
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("adam: expected contiguous weights")
        };
        let Some(change) = self.change.take() else {
            return Ok(());
        };
        match T::of_storage_mut(storage) {
            Some(numbers) => change(&mut numbers[start..end]),
            None => bail!("adam: expected {:?}", T::DTYPE),
        }
    }
}
