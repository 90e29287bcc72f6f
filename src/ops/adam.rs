//! One step of Adam, in place.

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var};

use crate::ops::simd::{self, Float};
use crate::ops::{contiguous, is_fused};

/// The numbers of one step; β₁, β₂, ε as in Kingma & Ba 2015.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// The learning rate over 1 − β₁ᵗ.
    pub step_size: f64,
    /// √(1 − β₂ᵗ).
    pub correction: f64,
    /// β₁.
    pub beta1: f64,
    /// β₂.
    pub beta2: f64,
    /// ε.
    pub eps: f64,
}

/// m ← m + (1 − β₁)(g − m), v ← β₂ v + (1 − β₂) g², θ ← θ − step_size · m / (√v / correction + ε).
///
/// `theta`, `m`, `v` and `gradient` have one shape and dtype. On the CPU f32 and f64 are changed in place, with no
/// memory taken; all else goes to [`adam_composite`]. The order of operations is that of PyTorch's `Adam`.
///
/// # Errors
/// Shapes or dtypes that do not fit.
pub fn adam(theta: &Var, m: &Var, v: &Var, gradient: &Tensor, step: AdamStep) -> crate::Result<()> {
    if !is_fused(theta) {
        return adam_composite(theta, m, v, gradient, step);
    }
    let gradient = gradient.detach().contiguous()?;
    let first = || m.inplace_op2(&gradient, &Moment { keep: step.beta1, square: false });
    let second = || v.inplace_op2(&gradient, &Moment { keep: step.beta2, square: true });
    // From here on a thread more is worth its start.
    let both = theta.elem_count() > 50_000;
    let (first, second) = if both { rayon::join(first, second) } else { (first(), second()) };
    first?;
    second?;
    theta.inplace_op3(m, v, &Update(step))?;
    Ok(())
}

/// [`adam`] in plain candle operations, on every device.
///
/// # Errors
/// As [`adam`].
pub fn adam_composite(theta: &Var, m: &Var, v: &Var, gradient: &Tensor, step: AdamStep) -> crate::Result<()> {
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

/// The running mean of gradients or of their squares.
struct Moment {
    keep: f64,
    square: bool,
}

impl Moment {
    fn run<T: Float>(&self, moment: &mut [T], gradient: &[T]) -> Result<()> {
        let (keep, take) = (T::from_f64(self.keep), T::from_f64(1. - self.keep));
        simd::arch()?.dispatch(|| {
            if self.square {
                for (v, &g) in moment.iter_mut().zip(gradient) {
                    *v = keep * *v + take * g * g;
                }
            } else {
                for (m, &g) in moment.iter_mut().zip(gradient) {
                    *m += take * (g - *m);
                }
            }
        });
        Ok(())
    }
}

impl InplaceOp2 for Moment {
    fn name(&self) -> &'static str {
        "adam-moment"
    }

    fn cpu_fwd(&self, moment: &mut CpuStorage, lm: &Layout, gradient: &CpuStorage, lg: &Layout) -> Result<()> {
        match (moment, gradient) {
            (CpuStorage::F32(m), CpuStorage::F32(g)) => self.run(all_mut(m, lm, lg)?, contiguous(g, lg)?),
            (CpuStorage::F64(m), CpuStorage::F64(g)) => self.run(all_mut(m, lm, lg)?, contiguous(g, lg)?),
            _ => candle_core::bail!("adam: the gradient has another dtype than its weight"),
        }
    }
}

struct Update(AdamStep);

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adam-update"
    }

    fn cpu_fwd(
        &self,
        theta: &mut CpuStorage,
        lt: &Layout,
        m: &CpuStorage,
        lm: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> Result<()> {
        match (theta, m, v) {
            (CpuStorage::F32(theta), CpuStorage::F32(m), CpuStorage::F32(v)) => {
                self.run(all_mut(theta, lt, lm)?, contiguous(m, lm)?, contiguous(v, lv)?)
            }
            (CpuStorage::F64(theta), CpuStorage::F64(m), CpuStorage::F64(v)) => {
                self.run(all_mut(theta, lt, lm)?, contiguous(m, lm)?, contiguous(v, lv)?)
            }
            _ => candle_core::bail!("adam: the moments have another dtype than their weight"),
        }
    }
}

impl Update {
    fn run<T: Float>(&self, theta: &mut [T], m: &[T], v: &[T]) -> Result<()> {
        let AdamStep { step_size, correction, eps, .. } = self.0;
        let (step_size, correction, eps) = (T::from_f64(step_size), T::from_f64(correction), T::from_f64(eps));
        simd::arch()?.dispatch(|| {
            for (theta, (&m, &v)) in theta.iter_mut().zip(m.iter().zip(v)) {
                *theta -= step_size * (m / (v.root() / correction + eps));
            }
        });
        Ok(())
    }
}

/// The elements of a contiguous tensor that has the shape of `other`.
fn all_mut<'a, T>(values: &'a mut [T], layout: &Layout, other: &Layout) -> Result<&'a mut [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) if layout.shape() == other.shape() => Ok(&mut values[start..end]),
        _ => candle_core::bail!("adam: shape {:?}; expected {:?}", other.shape(), layout.shape()),
    }
}
